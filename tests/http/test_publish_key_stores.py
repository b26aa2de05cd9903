"""Instances that sign with keys of their own: key stores below one folder, read when published."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.keys.key_store_files import MAX_FILE_BYTES
from tests.http import judges
from tests.http.states import body, state
from tests.support import door as doors
from tests.support import key_store_files as files
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    FrozenClock,
    user_input,
)
from tests.support.planted import Planted

REST = "/sts-publish/rest"
CREATE = f"{REST}?_action=create"


@pytest.fixture
async def keystores(tmp_path: Path) -> Path:
    """The folder that settings name, with every file in it."""
    folder = tmp_path / "keystores"
    shutil.copytree(files.folder(), folder)
    return folder


@pytest.fixture
async def door(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> AsyncIterator[Door]:
    """A front door whose broker reads key stores."""
    keys = {"keystore_dir": keystores}
    async with doors.opened(tmp_path / "state", planted, keys=keys) as opened:
        yield opened
        said.extend(opened.refusals)


def _own(
    location: str, alias: str = files.RSA_ALIAS, algorithm: str = "RS256", **passwords: str
) -> dict[str, Any]:
    """A state that signs both kinds of token with one key of a key store."""
    password = passwords.get("password", files.STORE_PASSWORD)
    key_password = passwords.get("key_password", files.STORE_PASSWORD)
    return {
        "saml2": {
            "saml2-signature-algorithm": algorithm,
            "saml2-keystore-filename": location,
            "saml2-keystore-password": password,
            "saml2-signature-key-alias": alias,
            "saml2-signature-key-password": key_password,
        },
        "oidc": {
            "oidc-signature-algorithm": algorithm,
            "oidc-keystore-location": location,
            "oidc-keystore-password": password,
            "oidc-signature-key-alias": alias,
            "oidc-signature-key-password": key_password,
            "oidc-client-secret": ...,
        },
    }


async def _create(door: Door, instance_state: Any) -> Answer:
    head = await door.admin()
    return await door.request("POST", CREATE, body=body(instance_state), headers=head)


async def _judged(door: Door, algorithm: str, instance: str = "orders", realm: str = "") -> str:
    """Both tokens hold under the key that the realm's JWKS shows. Returns its ``kid``."""
    answer = await door.translate(user_input(), ID_TOKEN, instance=instance)
    assert answer.status == 200, answer.text
    token = await judges.id_token(door, answer.body["issued_token"], algorithm, realm)
    answer = await door.translate(user_input(), ASSERTION, instance=instance)
    await judges.assertion(door, answer.body["issued_token"], realm)
    return str(token.header["kid"])


@pytest.mark.parametrize(
    ("location", "changes"),
    [
        ("own.pem", {"password": ""}),
        ("locked.pem", {"alias": "locked", "key_password": files.KEY_PASSWORD}),
        ("own.p12", {}),
        ("OWN.p12", {"alias": "OWN"}),
    ],
)
async def test_signs_with_its_own_key(
    door: Door, keystores: Path, location: str, changes: dict[str, str]
) -> None:
    """A key of a PEM or PKCS #12 file signs, and its kid is in the realm's JWKS, once."""
    if location.startswith("OWN"):
        (keystores / "own.p12").rename(keystores / location)
    answer = await _create(door, state(**_own(location, **changes)))
    assert answer.status == 201, answer.text
    kid = await _judged(door, "RS256")
    assert kid not in {key.kid for key in door.broker.components.keys.list("/")}
    shown = [key for key in (await judges.jwks(door))["keys"] if key["kid"] == kid]
    assert [(key["kty"], key["alg"], key["use"]) for key in shown] == [("RSA", "RS256", "sig")]
    assert "d" not in shown[0]


@files.needs_keytool
@pytest.mark.parametrize("kind", ["jks", "jceks"])
async def test_java_key_stores(door: Door, keystores: Path, kind: str) -> None:
    """Key pairs that keytool made sign, each under its own password, aliases in any case."""
    shutil.copy(files.java(kind), keystores)
    first = _own(f"own.{kind}")
    assert (await _create(door, state(**first))).status == 201
    rsa = await _judged(door, "RS256")
    second = _own(f"own.{kind}", "Own-EC", "ES256", key_password=files.KEY_PASSWORD)
    assert (await _create(door, state("second", **second))).status == 201
    assert await _judged(door, "ES256", "second") != rsa


WRONG: dict[str, tuple[str, str, dict[str, str]]] = {
    "no such file": ("keystore", "gone.p12", {}),
    "absolute": ("keystore", "/etc/passwd", {}),
    "above": ("keystore", "../own.p12", {}),
    "above inside": ("keystore", "x/../../own.p12", {}),
    "backslash": ("keystore", "..\\own.p12", {}),
    "link that leads out": ("keystore", "out.p12", {}),
    "a folder": ("keystore", "folder", {}),
    "a pipe": ("keystore", "pipe", {}),
    "too long": ("keystore", "long.pem", {}),
    "no format": ("keystore", "text.pem", {}),
    "password of PKCS #12": ("keystore-password", "own.p12", {"password": "wrong"}),
    "no password of PKCS #12": ("keystore-password", "own.p12", {"password": ""}),
    "password of a PEM key": (
        "signature-key-password",
        "locked.pem",
        {"alias": "locked", "key_password": "wrong"},
    ),
    "no password of a PEM key": (
        "signature-key-password",
        "locked.pem",
        {"alias": "locked", "key_password": "", "password": ""},
    ),
    "alias of PKCS #12": ("signature-key-alias", "own.p12", {"alias": "other"}),
    "alias of PEM": ("signature-key-alias", "own.pem", {"alias": "other"}),
    "no alias": ("signature-key-alias", "own.p12", {"alias": ""}),
    "no certificate": ("signature-key-alias", "bare.pem", {"alias": "bare"}),
    "no key": ("signature-key-alias", "partner.pem", {"alias": "partner"}),
    "kind of key": ("signature-algorithm", "own.p12", {"algorithm": "ES256"}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_cannot_be_read(door: Door, keystores: Path, tmp_path: Path, wrong: str) -> None:
    """A key store that cannot be used is a 400 that names the key, in both sections at once."""
    key, location, changes = WRONG[wrong]
    shutil.copy(keystores / "own.p12", tmp_path / "own.p12")
    (keystores / "out.p12").symlink_to(tmp_path / "own.p12")
    (keystores / "folder").mkdir()
    os.mkfifo(keystores / "pipe")
    (keystores / "long.pem").write_bytes(b"-" * (MAX_FILE_BYTES + 1))
    (keystores / "text.pem").write_text("no key at all")
    answer = await _create(door, state(**_own(location, **changes)))
    assert answer.status == 400, answer.text
    named = {problem["key"] for problem in answer.body["detail"]}
    oidc = {"keystore": "oidc-keystore-location"}.get(key, f"oidc-{key}")
    saml2 = {"keystore": "saml2-keystore-filename"}.get(key, f"saml2-{key}")
    assert named == {oidc, saml2}
    assert files.STORE_PASSWORD not in answer.text
    assert "wrong" not in changes.values() or all(
        "wrong" in p["message"] for p in answer.body["detail"]
    )


@files.needs_keytool
@pytest.mark.parametrize("kind", ["jks", "jceks"])
@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("keystore-password", {"password": "wrong"}),
        ("signature-key-password", {"key_password": "wrong"}),
        ("signature-key-alias", {"alias": "other"}),
        ("signature-key-alias", {"alias": files.PARTNER_ALIAS}),
        ("signature-key-alias", {"alias": files.SMALL_ALIAS}),
    ],
)
async def test_java_key_store_that_cannot_be_used(
    door: Door, keystores: Path, kind: str, key: str, changes: dict[str, str]
) -> None:
    """A wrong password, alias or kind of key in a Java key store is a 400 naming the key."""
    shutil.copy(files.java(kind), keystores)
    answer = await _create(door, state(**_own(f"own.{kind}", **changes)))
    assert answer.status == 400
    assert {p["key"] for p in answer.body["detail"]} == {f"saml2-{key}", f"oidc-{key}"}


async def test_no_folder(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Without the setting no file is read: empty means no."""
    async with doors.opened(tmp_path / "other", planted) as door:
        answer = await _create(door, state(**_own("own.p12")))
        said.extend(door.refusals)
    assert answer.status == 400
    assert "keys.keystore_dir" in answer.body["message"]


async def test_a_realm_has_a_folder_of_its_own(door: Door, keystores: Path) -> None:
    """A sub realm's instances find files in the folder of its name, and none of another realm."""
    assert (await _create(door, state(realm=REALM, **_own("own.p12")))).status == 400
    folder = keystores / "fred" / "bobo"
    folder.mkdir(parents=True)
    shutil.copy(keystores / "own.p12", folder)
    assert (await _create(door, state(realm=REALM, **_own("own.p12")))).status == 201
    await _judged(door, "RS256", "fred/bobo/orders", REALM)


async def test_link_inside_the_folder(door: Door, keystores: Path) -> None:
    """A link that stays inside is followed: that is how secrets are mounted."""
    (keystores / "..data").mkdir()
    (keystores / "own.p12").rename(keystores / "..data" / "own.p12")
    (keystores / "own.p12").symlink_to(Path("..data") / "own.p12")
    assert (await _create(door, state(**_own("own.p12")))).status == 201


async def test_file_that_vanishes(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> None:
    """A broker that finds no file answers 409 there; other instances serve, and so does this one
    once the file is back."""
    keys = {"keystore_dir": keystores}
    async with doors.opened(tmp_path / "other", planted, keys=keys) as door:
        assert (await _create(door, state(**_own("own.p12")))).status == 201
    (keystores / "own.p12").rename(keystores / "away.p12")
    async with doors.opened(tmp_path / "other", planted, keys=keys) as door:
        for wanted in (ID_TOKEN, ASSERTION):
            answer = await door.translate(user_input(), wanted, instance="orders")
            assert (answer.status, answer.body["reason"]) == (409, "Conflict")
        assert (await door.translate(user_input(), ID_TOKEN)).status == 200
        assert len((await judges.jwks(door))["keys"]) == 5, "the key is still published"
        (keystores / "away.p12").rename(keystores / "own.p12")
        await _judged(door, "RS256")
        said.extend(door.refusals)


async def test_file_that_changes(door: Door, keystores: Path) -> None:
    """Another key in the file signs once the instance is published again; the JWKS keeps both."""
    head = await door.admin()
    sent = state(**_own("own.pem", password=""))
    assert (await _create(door, sent)).status == 201
    first = await _judged(door, "RS256")
    files.pem(keystores)
    assert await _judged(door, "RS256") == first
    answer = await door.request("PUT", f"{REST}/orders", body=body(sent), headers=head)
    assert answer.status == 200
    second = await _judged(door, "RS256")
    kids = {key["kid"] for key in (await judges.jwks(door))["keys"]}
    assert first != second
    assert {first, second} <= kids


async def test_a_changed_file_is_not_trusted_by_itself(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> None:
    """A broker whose file has another key than the one published with refuses to sign."""
    keys = {"keystore_dir": keystores}
    async with doors.opened(tmp_path / "other", planted, keys=keys) as door:
        assert (await _create(door, state(**_own("own.pem", password="")))).status == 201
    files.pem(keystores)
    async with doors.opened(tmp_path / "other", planted, keys=keys) as door:
        answer = await door.translate(user_input(), ID_TOKEN, instance="orders")
        said.extend(door.refusals)
    assert answer.status == 409
    assert "publish the instance again" in answer.body["message"]


async def test_another_broker(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> None:
    """A broker on the same store shows the key in its JWKS with or without the file, and signs
    with it as soon as the instance is published if it has the file."""
    path, keys = tmp_path / "state", {"keystore_dir": keystores}
    async with (
        doors.opened(path, planted, keys=keys) as one,
        doors.opened(path, planted, keys=keys) as other,
        doors.opened(path, planted) as without,
    ):
        assert (await _create(one, state(**_own("own.p12")))).status == 201
        kid = await _judged(one, "RS256")
        assert await _judged(other, "RS256") == kid
        assert kid in {key["kid"] for key in (await judges.jwks(without))["keys"]}
        answer = await without.translate(user_input(), ID_TOKEN, instance="orders")
        said.extend([*one.refusals, *other.refusals, *without.refusals])
    assert answer.status == 409


async def test_a_password_opens_for_its_instance_alone(door: Door) -> None:
    """An instance whose password is wrong does not sign with a file that another one opened."""
    assert (await _create(door, state(**_own("own.p12")))).status == 201
    wrong = state("second", **_own("own.p12", password="wrong"))
    assert (await _create(door, wrong)).status == 400
    stored = await door.broker.stores.instances.get("orders")
    assert stored is not None
    planted = replace(stored, id="second", body=wrong)
    await door.broker.stores.instances.create(planted)
    answer = await door.translate(user_input(), ID_TOKEN, instance="second")
    assert answer.status == 409


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
async def test_one_key_for_two_algorithms(door: Door, algorithm: str) -> None:
    """A key that signs with two algorithms is in the JWKS once, without naming one."""
    assert (await _create(door, state(**_own("own.p12")))).status == 201
    other = state("second", **_own("own.p12", algorithm=algorithm))
    assert (await _create(door, other)).status == 201
    kid = await _judged(door, "RS256")
    shown = [key for key in (await judges.jwks(door))["keys"] if key["kid"] == kid]
    assert len(shown) == 1
    assert "alg" not in shown[0]


async def test_recipient_in_the_key_store(door: Door) -> None:
    """An assertion can be encrypted to a certificate of the key store that signs, or of another."""
    shared = _own("own.p12")
    encryption = {
        "saml2-encrypt-assertion": "true",
        "saml2-encryption-algorithm": "aes256-gcm",
        "saml2-encryption-algorithm-strength": "256",
    }
    same = {**shared["saml2"], **encryption, "saml2-encryption-key-alias": files.RSA_ALIAS}
    beside = {
        **encryption,
        "saml2-encryption-keystore-filename": "partner.pem",
        "saml2-encryption-key-alias": "partner",
    }
    for element, members in (("same", same), ("beside", beside)):
        answer = await _create(door, state(element, saml2=members))
        assert answer.status == 201, answer.text
        answer = await door.translate(user_input(), ASSERTION, instance=element)
        assert answer.status == 200, answer.text
        assert "EncryptedAssertion" in answer.body["issued_token"]
        assert "demo@example.com" not in answer.body["issued_token"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"saml2-encryption-key-alias": "nobody"}, "saml2-encryption-key-alias"),
        ({"saml2-encryption-keystore-filename": "gone.p12"}, "saml2-encryption-keystore-filename"),
        ({"saml2-sign-assertion": "false", "saml2-keystore-filename": "gone.p12"},
         "saml2-keystore-filename"),
        ({"saml2-sign-assertion": "false", "saml2-keystore-password": "no"},
         "saml2-keystore-password"),
    ],
)  # fmt: skip
async def test_recipient_that_cannot_be_found(
    door: Door, changes: dict[str, str], key: str
) -> None:
    """A recipient's certificate that cannot be read is a 400 that names where it was looked for."""
    members = {
        **_own("own.p12")["saml2"],
        "saml2-encrypt-nameid": "true",
        "saml2-encryption-algorithm": "aes128-gcm",
        "saml2-encryption-algorithm-strength": "128",
        "saml2-encryption-key-alias": files.RSA_ALIAS,
    }
    answer = await _create(door, state(saml2={**members, **changes}))
    assert answer.status == 400
    assert key in {problem["key"] for problem in answer.body["detail"]}


async def test_the_key_leaves_the_jwks(
    tmp_path: Path, planted: Planted, said: list[str], keystores: Path
) -> None:
    """A key that no instance names leaves the JWKS after its last token can have ended."""
    clock = FrozenClock()
    keys = {"keystore_dir": keystores}
    async with doors.opened(tmp_path / "other", planted, clock=clock, keys=keys) as door:
        head = await door.admin()
        before = {key["kid"] for key in (await judges.jwks(door))["keys"]}
        assert (await _create(door, state(**_own("own.p12")))).status == 201
        parts = door.broker.components
        await parts.keys.tend(await parts.instances.key_needs())
        assert len((await judges.jwks(door))["keys"]) == len(before) + 1
        await door.request("DELETE", f"{REST}/orders", headers=head)
        await parts.keys.tend(await parts.instances.key_needs())
        assert len((await judges.jwks(door))["keys"]) == len(before) + 1
        clock.advance(3600 + 301)
        await parts.keys.tend(await parts.instances.key_needs())
        assert {key["kid"] for key in (await judges.jwks(door))["keys"]} == before
        said.extend(door.refusals)


async def test_passwords_are_hidden_and_kept(door: Door) -> None:
    """A read hides the passwords of key stores, and what was read can be written back."""
    head = await door.admin()
    assert (await _create(door, state(**_own("own.p12")))).status == 201
    read = (await door.request("GET", f"{REST}/orders", headers=head)).body["orders"]
    assert read["saml2-config"]["saml2-keystore-password"] == "(unchanged)"
    assert read["oidc-id-token-config"]["oidc-signature-key-password"] == "(unchanged)"
    answer = await door.request("PUT", f"{REST}/orders", body=body(read), headers=head)
    assert answer.status == 200, answer.text
    await _judged(door, "RS256")
