"""Administrators who publish in bad faith: what they name, and how much, harms nobody else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from adapters.instances import checking
from adapters.instances.redaction import REDACTED
from adapters.keys import key_store_document
from adapters.plugins import loading
from broker.errors import MAX_PROBLEMS, InvalidInstance
from broker.instance import OidcOptions, SigningKey
from broker.model import Secret
from tests.http.states import body, state, transform
from tests.support import door as doors
from tests.support import jose
from tests.support import key_store_files as files
from tests.support.door import ID_TOKEN, REALM, Answer, Door, an_instance, user_input
from tests.support.planted import Planted
from tests.support.recipients import with_numbers

CREATE = "/sts-publish/rest?_action=create"
PARENT = REALM.rpartition("/")[0]
AES = "http://www.w3.org/2009/xmlenc11#aes128-gcm"


@pytest.fixture
async def keystores(tmp_path: Path) -> Path:
    """The folder that settings name; the realm below has a key without a password."""
    folder = tmp_path / "keystores"
    shutil.copytree(files.folder(), folder)
    below = folder / REALM.removeprefix("/")
    below.mkdir(parents=True)
    shutil.copy(folder / "own.pem", below)
    return folder


@pytest.fixture
async def door(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> AsyncIterator[Door]:
    """A front door with a realm, one below it, and key stores of both."""
    more: dict[str, Any] = {"keys": {"keystore_dir": keystores}, "realms": [PARENT, REALM]}
    async with doors.opened(tmp_path / "state", planted, **more) as opened:
        yield opened
        said.extend(opened.refusals)


async def _create(door: Door, made: Any, head: dict[str, str] | None = None) -> Answer:
    """Published by an administrator of the root realm, unless ``head`` says another."""
    head = head if head is not None else await door.admin()
    return await door.request("POST", CREATE, body=body(made), headers=head)


def _signed_with(location: str, password: str = "", realm: str = "/", alias: str = "own") -> Any:
    named = {
        "saml2-keystore-filename": location,
        "saml2-keystore-password": password,
        "saml2-signature-key-alias": alias,
    }
    return state(realm=realm, saml2=named)


async def test_realm_does_not_sign_with_keys_of_the_one_below(door: Door) -> None:
    """An administrator of a realm cannot name a key of a sub realm, which is not theirs to rule."""
    location = f"{REALM.rpartition('/')[2]}/own.pem"
    head = await door.realm_admin(PARENT)
    answer = await _create(door, _signed_with(location, realm=PARENT), head)
    assert answer.status == 400, answer.text
    assert [each["key"] for each in answer.body["detail"]] == ["saml2-keystore-filename"]
    assert (await _create(door, _signed_with("own.pem", realm=REALM))).status == 201


async def test_folder_in_place_of_a_file_costs_no_descriptor(door: Door) -> None:
    """However often somebody names a folder as key store, nothing stays open."""
    await _create(door, _signed_with("fred"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        answer = await _create(door, _signed_with("fred"))
        assert answer.status == 400, answer.text
    # Connections of the test's own come and go, a few at most.
    assert len(os.listdir("/proc/self/fd")) < before + 10


@pytest.mark.parametrize("location", ["own.p12", "nothing.p12"])
async def test_update_into_another_realm_looks_nothing_up(door: Door, location: str) -> None:
    """An update that names another realm is refused before that realm's key stores are read, so
    that nobody learns which files are there or tries passwords."""
    head = await door.realm_admin(PARENT)
    assert (await _create(door, state(realm=PARENT), head)).status == 201
    wanted = body(_signed_with(location, "a guess", realm="/"))
    path = f"/sts-publish/rest{PARENT}/orders"
    answer = await door.request("PUT", path, body=wanted, headers=head)
    assert answer.status == 400, answer.text
    assert [each["key"] for each in answer.body["detail"]] == ["deployment-realm"]


@pytest.mark.parametrize("location", ["own.p12", "locked.pem"])
async def test_password_with_a_nul(door: Door, location: str) -> None:
    """It is a 400 that names the key, and is audited; libraries in Rust panic on one."""
    answer = await _create(door, _signed_with(location, "opens\0the-file"))
    assert answer.status == 400, answer.text
    assert [each["key"] for each in answer.body["detail"]] == ["saml2-keystore-password"]
    assert door.audit()[-1]["operation"] == "instances post"


async def test_certificate_of_an_unknown_version(door: Door, keystores: Path) -> None:
    """A key store with a broken certificate is a 400, not a failure of the broker."""
    (keystores / "odd.pem").write_bytes(files.of_version(0x42, keystores / "own.pem"))
    answer = await _create(door, _signed_with("odd.pem", alias="odd"))
    assert answer.status == 400, answer.text


@pytest.mark.parametrize(
    ("modulus", "exponent"), [(2**2047 + 2, 65537), (None, 2**2040 + 1), (None, 2**40 + 1)]
)
async def test_recipient_whose_numbers_are_no_key(
    door: Door, modulus: int | None, exponent: int
) -> None:
    """A certificate that nothing can be encrypted to, or only dearly, is a 400 at publish."""
    wanted = {
        "saml2-encrypt-assertion": "true",
        "saml2-encryption-algorithm": AES,
        "saml2-encryption-algorithm-strength": "128",
        "saml2-encryption-certificate": with_numbers(modulus, exponent),
    }
    answer = await _create(door, state(saml2=wanted))
    assert answer.status == 400, answer.text
    assert [each["key"] for each in answer.body["detail"]] == ["saml2-encryption-certificate"]


async def test_recipient_with_the_exponent_three(door: Door) -> None:
    """Some service providers' keys have it, and padding is random: they are encrypted to."""
    wanted = {
        "saml2-encrypt-assertion": "true",
        "saml2-encryption-algorithm": AES,
        "saml2-encryption-algorithm-strength": "128",
        "saml2-encryption-certificate": with_numbers(None, 3),
    }
    answer = await _create(door, state(saml2=wanted))
    assert answer.status == 201, answer.text


async def test_thousands_of_problems(door: Door) -> None:
    """A document with thousands of them is answered, and audited, with the first hundred."""
    targets = {f"TYPE{number}": 1 for number in range(5000)}
    targets["T" * 100_000] = 1
    made = state(deployment={"deployment-auth-target-mappings": dict(reversed(targets.items()))})
    answer = await _create(door, made)
    assert answer.status == 400
    assert len(answer.body["detail"]) == MAX_PROBLEMS + 1
    assert "more problems" in answer.body["detail"][-1]["message"]
    assert len(answer.text) < 50_000
    assert len(str(door.audit()[-1])) < 50_000


async def test_hundreds_of_plug_ins_that_are_not_there(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed is looked through a few times for them, not once for each."""
    scans: list[str] = []

    def counted(*, group: str) -> Any:
        scans.append(group)
        return entry_points(group=group)

    monkeypatch.setattr(loading, "entry_points", counted)
    monkeypatch.setattr(loading, "RESCAN_SECONDS", 3600.0)
    names = [f"TYPE{number}" for number in range(200)]
    operations = [{"customTokenName": n, "customOperationClassName": n.lower()} for n in names]
    made = {
        "custom-token-validators": operations,
        "custom-token-transforms": [transform(name, "SAML2") for name in names],
    }
    answer = await _create(door, state(top=made))
    assert answer.status == 400
    assert scans == ["remint.custom_validators"]


async def test_revision_tells_nothing_of_secrets(
    door: Door, tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """The same document has another revision elsewhere: it is keyed, so that nobody who reads a
    document without its secrets can try them out against it."""
    here = await _create(door, state())
    async with doors.opened(tmp_path / "other", planted) as other:
        there = await _create(other, state())
        said.extend(other.refusals)
    assert (here.status, there.status) == (201, 201)
    assert here.body["_rev"] != there.body["_rev"]


async def test_equal_revisions_hide_no_update(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is what runs, even if somebody makes two documents of one revision."""
    monkeypatch.setattr(checking, "_revision", lambda *_: "1")
    head = await door.admin()
    for issuer in ("https://first.example.com", "https://second.example.com"):
        wanted = body(state(oidc={"oidc-issuer": issuer}))
        made = await door.request("PUT", "/sts-publish/rest/orders", body=wanted, headers=head)
        if made.status == 404:
            made = await door.request("POST", CREATE, body=wanted, headers=head)
        assert made.status in (200, 201), made.text
        answer = await door.translate(user_input(), ID_TOKEN, instance="orders")
        payload = json.loads(jose.unb64(answer.body["issued_token"].split(".")[1].encode()))
        assert payload["iss"] == issuer


async def test_names_of_one_key_are_counted(
    door: Door, keystores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias in ever other letter case does not make the list of keys grow without end."""
    monkeypatch.setattr(key_store_document, "MAX_USES", 2)
    head = await door.admin()
    statuses: list[int] = []
    for alias in ("own", "Own", "oWn", "own"):
        wanted = _signed_with("own.p12", files.STORE_PASSWORD, alias=alias)
        wanted["deployment-config"]["deployment-url-element"] = f"{alias}-{len(statuses)}"
        statuses.append((await _create(door, wanted, head)).status)
    assert statuses == [201, 201, 409, 201]


async def test_file_with_a_hidden_secret(door: Door) -> None:
    """A file that was made of what a read shows is refused: everybody knows that secret."""
    made = an_instance(oidc="HS256")
    assert isinstance(made.oidc, OidcOptions)
    key = SigningKey("HS256", secret=Secret(REDACTED))
    with pytest.raises(InvalidInstance, match="there is no secret to keep"):
        await door.publish(replace(made, oidc=replace(made.oidc, signing_key=key)))
