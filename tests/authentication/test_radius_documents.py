"""What may be written of a module of the kind ``radius``: every mistake is named by its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.authentication import parts, tried
from tests.support.freeradius import SECRET

DOCUMENT = {"name": "corp", "kind": "radius", "servers": ["radius.example.com"], "secret": SECRET}


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"servers": []}, "servers"),
        ({"servers": ["a"] * 9}, "servers"),
        ({"servers": ["radius.example.com", "radius.example.com:1812"]}, "servers"),
        ({"servers": ["radius.example.com:0"]}, "servers"),
        ({"servers": ["radius.example.com:70000"]}, "servers"),
        ({"servers": ["user@radius.example.com"]}, "servers"),
        ({"servers": ["radius.example.com/path"]}, "servers"),
        ({"servers": ["-radius"]}, "servers"),
        ({"secret": ""}, "secret"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 61}, "timeout"),
        ({"tries": 11}, "tries"),
        ({"use": "pin"}, "use"),
        ({"use": "otp", "link_local_users": True}, "link_local_users"),
        ({"nas_identifier": "x" * 254}, "nas_identifier"),
        ({"attributes": {"a": "User-Password"}}, "attributes.a"),
        ({"attributes": {"a": "State"}}, "attributes.a"),
        ({"attributes": {"a": "24"}}, "attributes.a"),
        ({"attributes": {"a": "256"}}, "attributes.a"),
        ({"attributes": {"a": "Shoe-Size"}}, "attributes.a"),
        ({"attributes": {f"a{n}": "11" for n in range(51)}}, "attributes"),
        ({"sercet": "x"}, "sercet"),
    ],
)
def test_what_is_wrong_is_named(keys: dict[str, Any], wrong: str, tmp_path: Path) -> None:
    """A document that breaks a rule names the key, and never the secret."""
    written = {**DOCUMENT, **keys}
    _, problems = tried(written, parts(tmp_path))
    assert [key for key, _ in problems] == [wrong]
    assert SECRET not in str(problems)


def test_every_form_of_an_address(tmp_path: Path) -> None:
    """Names and addresses of both families, with and without a port."""
    servers = ["radius.example.com", "192.0.2.1:1645", "[2001:db8::1]", "[2001:db8::1]:1645"]
    _, problems = tried({**DOCUMENT, "servers": servers}, parts(tmp_path))
    assert not problems
