"""Where an administrator may have a module's logins and secrets go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import REALM, Answer, Door
from tests.support.pki import root
from tests.support.planted import Planted

OURS = f"/json{REALM}/authentication/modules/x"
HIDDEN = "(unchanged)"
LDAP: dict[str, Any] = {
    "kind": "ldap",
    "servers": ["ldaps://ldap.example.com"],
    "bind_dn": "cn=remint",
    "bind_password": "a secret of the directory",
    "search_bases": ["dc=example"],
}
RADIUS: dict[str, Any] = {
    "kind": "radius",
    "servers": ["radius.example.com"],
    "secret": "a secret of sixteen",
}


async def _put(door: Door, body: dict[str, Any]) -> Answer:
    """By an administrator of a realm below."""
    return await door.request("PUT", OURS, body=body, headers=await door.realm_admin())


def _wrong(answer: Answer) -> set[str]:
    return {each["key"] for each in answer.body.get("detail", ())}


@pytest.mark.parametrize(
    "server",
    [
        "LDAPI://%2Frun%2Fslapd%2Fldapi",
        " ldapi://%2Frun%2Fslapd%2Fldapi",
        " ldaps://127.0.0.1",
        "LDAPS://LOCALHOST",
        "ldap://[::ffff:127.0.0.1]",
        "ldaps://0.0.0.0",
        "ldaps://127.8.9.10",
    ],
)
async def test_no_spelling_of_this_machine_for_ldap(door: Door, server: str) -> None:
    """Case, blanks and other forms of an address are no way to what listens on this machine."""
    answer = await _put(door, {**LDAP, "servers": [server]})
    assert answer.status == 400
    assert "servers" in _wrong(answer)


@pytest.mark.parametrize(
    "server", [" 127.0.0.1", "localhost ", " localhost:1812", "LocalHost.", "[::1]", "a.LOCALHOST"]
)
async def test_no_spelling_of_this_machine_for_radius(door: Door, server: str) -> None:
    """Nor for a server that is named without a scheme."""
    answer = await _put(door, {**RADIUS, "servers": [server]})
    assert answer.status == 400
    assert "servers" in _wrong(answer)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\uff4cocalhost",
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    ],
)
async def test_no_spelling_of_this_machine_for_am(door: Door, host: str) -> None:
    """Letters that IDNA reads as others name this machine as well as those do."""
    answer = await _put(door, {"kind": "remote_am", "url": f"https://{host}/am"})
    assert answer.status == 400
    assert "url" in _wrong(answer)


@pytest.mark.parametrize(
    "moved",
    [
        {"servers": ["ldaps://elsewhere.example.net"]},
        {"servers": [*LDAP["servers"], "ldaps://elsewhere.example.net"]},
        {"servers": ["ldap://ldap.example.com"], "allow_plaintext": True},
        {"servers": ["ldap://ldap.example.com"], "starttls": True},
    ],
)
async def test_a_kept_secret_goes_nowhere_else(door: Door, moved: dict[str, Any]) -> None:
    """Who may not read a secret cannot have it sent to a place of his choice, or in the clear, by
    leaving it unchanged: then it has to be written again."""
    assert (await _put(door, LDAP)).status == 201
    answer = await _put(door, {**LDAP, "bind_password": HIDDEN, **moved})
    assert answer.status == 400
    assert _wrong(answer) == {"bind_password"}
    again = await _put(door, {**LDAP, **moved})
    assert (again.status, again.body["bind_password"]) == (200, HIDDEN)


async def test_a_kept_secret_stays_with_its_place(door: Door) -> None:
    """What has nothing to do with where it goes can be changed without it."""
    assert (await _put(door, LDAP)).status == 201
    answer = await _put(door, {**LDAP, "bind_password": HIDDEN, "attributes": ["mail"]})
    assert (answer.status, answer.body["attributes"]) == (200, ["mail"])


async def test_a_secret_of_another_kind_is_not_kept(door: Door) -> None:
    """A module that becomes one of another kind starts without secrets."""
    assert (await _put(door, LDAP)).status == 201
    answer = await _put(door, {**RADIUS, "secret": HIDDEN})
    assert (answer.status, _wrong(answer)) == (400, {"secret"})


async def test_an_inner_realm_reaches_no_file_of_another(tmp_path: Path, planted: Planted) -> None:
    """A module of an inner realm names files of the folder with its realm's name, and no others."""
    settings = authentication_file(tmp_path, "")
    (tmp_path / "shared.pem").write_text(root().pem)
    async with doors.opened(tmp_path / "state", planted, **settings) as door:
        body = LDAP | {"ca_file": "shared.pem"}
        assert _wrong(await _put(door, body)) == {"ca_file"}
        assert _wrong(await _put(door, body | {"ca_file": "../shared.pem"})) == {"ca_file"}
        own = tmp_path / REALM.strip("/")
        own.mkdir(parents=True)
        (own / "own.pem").write_text(root().pem)
        assert (await _put(door, body | {"ca_file": "own.pem"})).status == 201
