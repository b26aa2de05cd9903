"""``remint realms``, on the state folder and from afar."""

from __future__ import annotations

from tests.cli.conftest import Site


def test_life_of_a_realm(site: Site) -> None:
    """A realm is made, listed, has keys of its own, and is removed."""
    assert site.ok("realms", "create", "sales") == "/sales\n"
    assert site.ok("realms", "list").splitlines()[:1] == ["/"]
    assert "/sales" in site.ok("realms", "list").splitlines()
    assert len(site.ok("keys", "list", "--realm", "/sales").splitlines()) == 2
    assert site.ok("realms", "delete", "/sales") == "removed /sales\n"
    assert "/sales" not in site.ok("realms", "list").splitlines()
