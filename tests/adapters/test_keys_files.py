"""The key folder of an earlier version: copied into the store once, and then left alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.keys.files import NOTE, KeyFiles, KeyRingError
from adapters.keys.ring import KeyRing
from adapters.stores.memory import open_memory
from broker.instance import SigningKey
from broker.model import Secret
from broker.ports import ConfigurationStore
from tests.support.door import FrozenClock
from tests.support.key_rings import (
    ES256,
    RS256,
    TAIL,
    a_ring,
    published,
    signs,
    states,
    write_folder,
)

pytestmark = pytest.mark.usefixtures("quick_keys")

PASSPHRASE = "pl4nted-passphrase"
THEN = 1_700_000_000  # when the files were made
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OLD, NEW, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


async def moved(
    folder: Path,
    clock: FrozenClock,
    store: ConfigurationStore | None = None,
    passphrase: str | None = None,
    **options: Any,
) -> KeyRing:
    """A ring that was opened with the folder."""
    files = KeyFiles(folder, Secret(passphrase) if passphrase is not None else None)
    return await a_ring(clock, store, files=files, **options)


async def test_keys_are_the_same_afterwards(tmp_path: Path, clock: FrozenClock) -> None:
    """Active keys sign on with their certificates, retired ones stay published, and a retired key
    that an instance names still signs for it."""
    old, new, spare, rsa_kid = write_folder(
        tmp_path,
        [
            (OLD, "retired", THEN),
            (NEW, "active", THEN + 60),
            (OTHER, "next", THEN + 70),
            (RSA, "active", THEN),
        ],
    )
    ring = await moved(tmp_path, clock)
    assert states(ring) == {old: "retired", new: "active", spare: "next"}
    assert states(ring, "RS256") == {rsa_kid: "active"}
    assert signs(ring) == new
    assert published(ring) == {old, new, spare, rsa_kid}
    assert ring.key_id("/", SigningKey("ES256", alias=old)) == old
    certificate = (tmp_path / "root" / f"{new}.crt").read_text()
    der = ring.signer("/", ES256, new).certificate or b""
    assert x509.load_pem_x509_certificate(certificate.encode()) == x509.load_der_x509_certificate(
        der
    )


async def test_every_realm_is_copied(tmp_path: Path, clock: FrozenClock) -> None:
    """Each folder is a realm's; a realm without one gets keys of its own, and other folders are no
    realms."""
    (root,) = write_folder(tmp_path, [(OLD, "active", THEN)])
    (fred,) = write_folder(tmp_path, [(NEW, "active", THEN)], realm="/fred/bobo")
    for name in ("lost+found", "%2f", "%2Fempty"):
        (tmp_path / name).mkdir()
    ring = await moved(tmp_path, clock, realms=("/", "/fred/bobo", "/new"))
    assert [signs(ring, ES256, realm) for realm in ("/", "/fred/bobo")] == [root, fred]
    assert signs(ring, ES256, "/new") not in (root, fred)
    assert signs(ring, RS256)
    assert ring.list("/lost+found") == ring.list("/empty") == []


async def test_only_once(tmp_path: Path, clock: FrozenClock) -> None:
    """What became of the keys since is not undone by another start, with the note or without; a
    store that is new does not take them up again."""
    (old,) = write_folder(tmp_path, [(OLD, "active", THEN)])
    store = open_memory().configuration
    ring = await moved(tmp_path, clock, store)
    await ring.revoke("/", old)
    clock.advance(TAIL)
    await ring.tend({})
    for remove_note in (False, True):
        if remove_note:
            (tmp_path / NOTE).unlink()
        again = await moved(tmp_path, clock, store)
        assert old not in states(again)
        assert (tmp_path / NOTE).exists()
    assert old not in states(await moved(tmp_path, clock))


async def test_files_stay_and_a_note_says_why(tmp_path: Path, clock: FrozenClock) -> None:
    """No file is changed; a note, its owner's alone, says where the keys are now. Where there is no
    folder none is made."""
    write_folder(tmp_path / "keys", [(OLD, "active", THEN)])
    before = {path: path.read_bytes() for path in (tmp_path / "keys" / "root").iterdir()}
    await moved(tmp_path / "keys", clock)
    assert {path: path.read_bytes() for path in before} == before
    note = tmp_path / "keys" / NOTE
    assert "copied into the store" in note.read_text()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    await moved(tmp_path / "none", clock)
    assert not (tmp_path / "none").exists()


async def test_broker_killed_before_the_note(tmp_path: Path, clock: FrozenClock) -> None:
    """A start that was cut off between the store and the note is made good by the next."""
    (old,) = write_folder(tmp_path, [(OLD, "active", THEN)])
    store = open_memory().configuration
    await moved(tmp_path, clock, store)
    (tmp_path / NOTE).unlink()
    ring = await moved(tmp_path, clock, store)
    assert states(ring) == {old: "active"}
    assert (tmp_path / NOTE).exists()


async def test_store_that_has_keys_already(tmp_path: Path, clock: FrozenClock) -> None:
    """If another broker without the folder was first, its keys sign on, and the folder's are
    published for as long as their tokens may last."""
    (old,) = write_folder(tmp_path, [(OLD, "active", THEN)])
    store = open_memory().configuration
    first = await a_ring(clock, store)
    ring = await moved(tmp_path, clock, store)
    assert signs(ring) == signs(first)
    assert states(ring)[old] == "retired"
    assert old in published(ring)
    clock.advance(TAIL)
    await ring.tend({})
    assert old not in published(ring)


async def test_active_key_that_is_older_than_a_retired_one(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """The state in the folder counts, whatever the times of creation say."""
    old, new = write_folder(tmp_path, [(OLD, "active", THEN), (NEW, "retired", THEN + 60)])
    ring = await moved(tmp_path, clock)
    assert states(ring) == {old: "active", new: "retired"}


async def test_retired_keys_end_once_nobody_names_them(tmp_path: Path, clock: FrozenClock) -> None:
    """An earlier version kept retired keys for ever; now they end with their tokens."""
    old, new = write_folder(tmp_path, [(OLD, "retired", THEN), (NEW, "active", THEN + 60)])
    ring = await moved(tmp_path, clock)
    await ring.tend(None)
    assert old in published(ring)
    await ring.tend({})
    clock.advance(TAIL - 1)
    assert old in published(ring)
    clock.advance(1)
    await ring.tend({})
    assert states(ring) == {new: "active"}


async def test_passphrase_opens_the_files(tmp_path: Path, clock: FrozenClock) -> None:
    """Files that were written with a passphrase are opened with it, and others beside them too."""
    (old,) = write_folder(tmp_path, [(OLD, "active", THEN)], passphrase=PASSPHRASE)
    (fred,) = write_folder(tmp_path, [(NEW, "active", THEN)], realm="/fred")
    ring = await moved(tmp_path, clock, passphrase=PASSPHRASE)
    assert [signs(ring), signs(ring, ES256, "/fred")] == [old, fred]


@pytest.mark.parametrize(
    ("given", "reason"),
    [("other-one", r"does not open with keys\.passphrase"), (None, "encrypted"), ("", "encrypted")],
)
async def test_wrong_passphrase_stops_the_start(
    given: str | None, reason: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """The error says which setting is wrong, and neither passphrase; nothing was taken over."""
    write_folder(tmp_path, [(OLD, "active", THEN)], passphrase=PASSPHRASE)
    store = open_memory().configuration
    with pytest.raises(KeyRingError, match=reason) as error:
        await moved(tmp_path, clock, store, passphrase=given)
    assert PASSPHRASE not in str(error.value)
    assert not given or given not in str(error.value)
    assert await store.list() == {}
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "../../../../etc/passwd"},
        {"kid": 5},
        {"state": "unknown"},
        {"algorithm": "none"},
        {"created": "now"},
    ],
)
async def test_index_is_not_believed(
    change: dict[str, Any], tmp_path: Path, clock: FrozenClock
) -> None:
    """An index that names no thumbprint, state or algorithm of ours is damaged."""
    write_folder(tmp_path, [(OLD, "active", THEN)])
    index = tmp_path / "root/ring.json"
    content = json.loads(index.read_text())
    content["keys"][0].update(change)
    index.write_text(json.dumps(content))
    with pytest.raises(KeyRingError, match=r"ring\.json is damaged"):
        await moved(tmp_path, clock)
    index.write_text("{")
    with pytest.raises(KeyRingError, match=r"ring\.json is damaged"):
        await moved(tmp_path, clock)


async def test_missing_or_foreign_key_file_stops_the_start(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """A key that is gone, or is another one, is said by its file."""
    kids = write_folder(tmp_path, [(OLD, "active", THEN), (NEW, "retired", THEN)])
    first, second = (tmp_path / "root" / f"{kid}.pem" for kid in kids)
    content = first.read_bytes()
    for written, reason in (
        (second.read_bytes(), "holds another key than its name says"),
        (b"nothing", "is damaged"),
    ):
        first.write_bytes(written)
        with pytest.raises(KeyRingError, match=reason):
            await moved(tmp_path, clock)
    first.unlink()
    with pytest.raises(KeyRingError, match="is missing"):
        await moved(tmp_path, clock)
    first.write_bytes(content)
    first.with_suffix(".crt").write_text("nothing")
    with pytest.raises(KeyRingError, match="certificate"):
        await moved(tmp_path, clock)


async def test_folder_that_cannot_be_read_is_said(tmp_path: Path, clock: FrozenClock) -> None:
    """A folder where a file should be is a sentence, not a traceback."""
    (kid,) = write_folder(tmp_path, [(OLD, "active", THEN)])
    (tmp_path / "root" / f"{kid}.pem").unlink()
    (tmp_path / "root" / f"{kid}.pem").mkdir()
    with pytest.raises(KeyRingError, match="cannot be read"):
        await moved(tmp_path, clock)
