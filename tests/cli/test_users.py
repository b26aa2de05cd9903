"""``remint users``, on the state folder and from afar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Remint, Site
from tests.support.planted import USER_PASSWORD


def _users(site: Site) -> dict[str, str]:
    lines = site.ok("users", "list").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_life_of_a_user(site: Site) -> None:
    """A user is added with a password from standard input, listed, given another, removed."""
    added = site.ok("users", "add", "grace", "-a", "mail=g@example.com", given=USER_PASSWORD + "\n")
    assert added == "added grace\n"
    assert _users(site)["grace"] == '{"mail": ["g@example.com"]}'
    assert _users(site)["admin"] == '{"roles": ["admin"]}'
    assert site.login("grace", USER_PASSWORD)

    said = site.ok("users", "passwd", "grace", given=f"{USER_PASSWORD}-2\n")
    assert said == "changed the password of grace\n"
    assert site.login("grace", f"{USER_PASSWORD}-2")
    assert _users(site)["grace"] == '{"mail": ["g@example.com"]}'

    assert site.ok("users", "delete", "grace") == "removed grace\n"
    assert "grace" not in _users(site)


def test_old_password_ends(site: Site) -> None:
    """After a change of password the old one opens no session."""
    site.ok("users", "add", "hedy", given=USER_PASSWORD)
    site.ok("users", "passwd", "hedy", given="another-" + USER_PASSWORD)
    with pytest.raises(Exception, match="401"):
        site.login("hedy", USER_PASSWORD)


def test_refusals(site: Site) -> None:
    """What the broker refuses is its own sentence on standard error; exit code 1."""
    site.ok("users", "add", "mary", given=USER_PASSWORD)
    again = site.run("users", "add", "mary", given=USER_PASSWORD)
    assert (again.code, again.out) == (1, "")
    assert again.err == "remint: 409 Conflict: there is a user mary already\n"
    empty = site.run("users", "add", "ida", given="\n")
    assert (empty.code, empty.out) == (1, "")
    assert empty.err == "remint: 400 Bad Request: a password is a string of 1 to 1024 bytes\n"
    unknown = site.run("users", "delete", "nobody")
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err == "remint: 404 Not Found: there is no user nobody\n"
    realm = site.run("users", "list", "--realm", "/nowhere")
    assert realm.err == "remint: 404 Not Found: there is no realm /nowhere\n"


def test_malformed_attribute(remint: Remint) -> None:
    """An attribute without a value is a mistake on the command line; exit code 2."""
    done = remint("users", "add", "emmy", "-a", "mail", given=USER_PASSWORD)
    assert done.code == 2
    assert "NAME=VALUE" in done.err


def test_import(site: Site, remint: Remint, tmp_path: Path) -> None:
    """Users of a file, hashes and all, take the place of their namesakes."""
    hashed = remint("users", "hash", given=USER_PASSWORD).out.strip()
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    site.ok("users", "add", "ada", "-a", "mail=old@example.com", given="other")
    file = tmp_path / "users.toml"
    file.write_text(
        f"""
        [[user]]
        name = "ada"
        password_hash = "{hashed}"
        [user.attributes]
        mail = "ada@example.com"

        [[user]]
        name = "idle"
        password_hash = "{hashed}"
        active = false
        """
    )
    assert site.ok("users", "import", str(file)) == "imported 2\n"
    assert _users(site)["ada"] == '{"mail": ["ada@example.com"]}'
    assert _users(site)["idle"] == "(inactive) {}"
    assert site.login("ada", USER_PASSWORD)
    with pytest.raises(Exception, match="401"):
        site.login("idle", USER_PASSWORD)


def test_import_of_a_broken_file(site: Site, tmp_path: Path) -> None:
    """A file with a mistake is named in a sentence, and none of its users is imported."""
    file = tmp_path / "users.toml"
    file.write_text('[[user]]\nname = "first"\npassword_hash = "plain"\n')
    done = site.run("users", "import", str(file))
    assert (done.code, done.out) == (1, "")
    sentence = "user 1: password_hash is what `remint users hash` prints"
    assert done.err == f"remint: {file}: {sentence}\n"
    assert "first" not in _users(site)


def test_two_hashes_differ(remint: Remint) -> None:
    """Each hash has a salt of its own."""
    one, other = (remint("users", "hash", given=USER_PASSWORD).out for _ in range(2))
    assert one != other
