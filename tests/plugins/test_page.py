"""docs/plug-ins.md and the examples say what there is."""

from __future__ import annotations

import inspect
from pathlib import Path

from adapters.instances import forgerock_oidc, forgerock_saml2
from adapters.plugins import InstalledPlugIns, calling
from broker import plug_ins, statements
from broker.plug_ins import ROLES
from tests.support.plug_ins import EXAMPLES, example_points

PAGE = Path(__file__).parents[2] / "docs" / "plug-ins.md"


def test_every_role_has_its_row() -> None:
    """Each kind of plug-in stands in the table with its key, its group and its method."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    keys = {
        "custom_validators": "custom-token-validators",
        "custom_providers": "custom-token-providers",
        **{f"saml2.plug_ins.{name}": key for name, key in forgerock_saml2.PLUG_INS.items()},
        **{f"oidc.plug_ins.{name}": key for name, key in forgerock_oidc.PLUG_INS.items()},
    }
    assert keys.keys() == ROLES.keys()
    for field, role in ROLES.items():
        (row,) = (line for line in rows if line.startswith(f"| `{keys[field]}` |"))
        assert f"| `{role.group}` | `{role.method}` |" in row


def test_every_example_is_a_plug_in(plug_ins: None) -> None:
    """Each example loads, does all that its group may be named for, and stands in the README."""
    readme = (EXAMPLES / "README.md").read_text()
    here = InstalledPlugIns()
    shown = set()
    for group, points in example_points().items():
        for name in points:
            assert f"\n| `{name}` |" in readme
            fields = [field for field, role in ROLES.items() if role.group == group]
            shown |= {field for field in fields if here.problem(field, name) is None}
    assert shown == ROLES.keys()


def test_every_method_has_its_port() -> None:
    """What a plug-in must have is written down as a Protocol in the core."""
    ports = [port for _, port in inspect.getmembers(plug_ins, inspect.isclass)]
    for role in ROLES.values():
        assert any(role.method in vars(port) for port in ports), role


def test_limits_are_those_of_the_page() -> None:
    """The numbers that the page names are the code's."""
    page = PAGE.read_text()
    assert calling.SECONDS == 4.0
    assert "within four seconds" in page
    assert calling.MAX_THREADS == 16
    assert "Sixteen threads" in page
    assert set(statements.DECISIONS) == {"Permit", "Deny", "Indeterminate"}
