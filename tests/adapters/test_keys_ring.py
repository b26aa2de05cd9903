"""The key ring: first start, looking up, rotation, reload, passphrases."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import KeySet

from adapters.keys import realm_folder
from adapters.keys.files import KeyRing, KeyRingError
from broker.errors import InvalidRequest, KeyUnavailable
from broker.instance import SigningKey
from broker.model import Secret
from broker.ports import Signer

PASSPHRASE = "pl4nted-passphrase"
RS256, ES256 = SigningKey("RS256"), SigningKey("ES256")
NOW = 1_800_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys are slow to find, so the tests of this process share a few."""
    served = itertools.cycle(_rsa_keys())
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: next(served))


@lru_cache
def _rsa_keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(4)]


def opened(folder: Path, *realms: str, passphrase: str | None = None) -> KeyRing:
    secret = Secret(passphrase) if passphrase is not None else None
    return KeyRing.open(folder, secret, realms or ("/",), now=lambda: NOW)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def states(ring: KeyRing, realm: str = "/") -> dict[str, str]:
    return {key.entry.kid: key.entry.state for key in ring.list(realm)}


def test_first_start_makes_one_set_for_each_realm(tmp_path: Path) -> None:
    """Every realm gets an active RSA and an active P-256 key of its own."""
    ring = opened(tmp_path / "keys", "/", "/fred/bobo")
    shown = [[key.shown() for key in ring.list(realm)] for realm in ("/", "/fred/bobo")]
    for keys in shown:
        assert sorted(key["algorithm"] for key in keys) == ["ES256", "RS256"]
        assert {key["state"] for key in keys} == {"active"}
        assert {key["created"] for key in keys} == {"2027-01-15T08:00:00Z"}
    assert len({key["kid"] for keys in shown for key in keys}) == 4


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask says."""
    before = os.umask(0)
    try:
        opened(tmp_path / "state/keys")
    finally:
        os.umask(before)
    folder = tmp_path / "state/keys/root"
    assert [mode(path) for path in (folder.parent, folder)] == [0o700, 0o700]
    files = list(folder.iterdir())
    assert len(files) == 6
    assert {mode(path) for path in files} == {0o600}
    assert not [path for path in files if path.name.endswith(".new")]


def test_second_start_finds_the_same_keys(tmp_path: Path) -> None:
    """Keys are made once and kept."""
    assert states(opened(tmp_path)) == states(opened(tmp_path))


@pytest.mark.parametrize(
    ("realm", "folder"),
    [("/", "root"), ("/root", "%2Froot"), ("/fred/bobo", "%2Ffred%2Fbobo"), ("/..", "%2F..")],
)
def test_realm_folder_is_safe_and_reversible(realm: str, folder: str) -> None:
    """No realm leaves the key folder, and no two realms share one."""
    assert realm_folder.folder_name(realm) == folder
    assert realm_folder.realm_of(folder) == realm


def test_folder_that_is_no_realm_s_is_left_alone(tmp_path: Path) -> None:
    """Other folders among the keys are no realms."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "%2f").mkdir()
    ring = opened(tmp_path)
    assert ring.list("/lost+found") == []
    with pytest.raises(InvalidRequest):
        realm_folder.folder_name("/" + "é" * 200)


async def verified(ring: KeyRing, signer: Signer, data: bytes) -> None:
    """By the certificate, with nothing but the cryptography library; raises if it is not."""
    signature = await signer.sign(data)
    public: Any = x509.load_der_x509_certificate(signer.certificate or b"").public_key()
    if signer.algorithm == "RS256":
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert len(signature) == 64
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("key", [RS256, ES256])
async def test_active_key_signs(key: SigningKey, tmp_path: Path) -> None:
    """The active key of the algorithm's kind signs, and its own certificate verifies it."""
    ring = opened(tmp_path)
    kid = ring.key_id("/", key)
    signer = ring.signer("/", key, kid)
    assert (signer.kid, signer.algorithm) == (kid, key.algorithm)
    for number in range(20):
        await verified(ring, signer, b"data %d" % number)
    by_name = SigningKey(key.algorithm, alias=str(kid))
    assert ring.key_id("/", by_name) == kid


async def test_secret_signs_without_a_name(tmp_path: Path) -> None:
    """HS256 uses the instance's secret: no kid, no certificate, nothing public."""
    ring = opened(tmp_path)
    key = SigningKey("HS256", secret=Secret("Jefe"))
    assert ring.key_id("/", key) is None
    signer = ring.signer("/", key, None)
    assert (signer.algorithm, signer.certificate, signer.public_jwk) == ("HS256", None, None)
    # RFC 4231, section 4.3.
    assert (await signer.sign(b"what do ya want for nothing?")).hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    with pytest.raises(KeyUnavailable):
        ring.signer("/", SigningKey("HS256"), None)


def test_key_that_is_not_there_is_a_conflict(tmp_path: Path) -> None:
    """A kid of nobody, of another realm or of another kind is refused, and so is an empty realm."""
    ring = opened(tmp_path, "/", "/a")
    elsewhere = str(ring.key_id("/a", RS256))
    curve = str(ring.key_id("/", ES256))
    for alias in ("nobody", "", elsewhere, curve):
        with pytest.raises(KeyUnavailable):
            ring.key_id("/", SigningKey("RS256", alias=alias))
        with pytest.raises(KeyUnavailable):
            ring.signer("/", RS256, alias)
    with pytest.raises(KeyUnavailable):
        ring.signer("/", RS256, None)
    with pytest.raises(KeyUnavailable):
        ring.key_id("/unknown", RS256)
    with pytest.raises(KeyUnavailable):
        ring.key_id("/", SigningKey("PS256"))


def test_certificate_is_self_signed_for_ten_years(tmp_path: Path) -> None:
    """Each key starts with a certificate of its own that names the realm and allows no more."""
    ring = opened(tmp_path, "/fred")
    for key in ring.list("/fred"):
        found = x509.load_der_x509_certificate(key.signer.certificate or b"")
        found.verify_directly_issued_by(found)
        assert found.subject.rfc4514_string() == "CN=Remint /fred"
        assert found.not_valid_before_utc.timestamp() <= NOW
        assert 3650 <= (found.not_valid_after_utc - found.not_valid_before_utc).days <= 3654
        assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert found.signature_hash_algorithm is not None
        assert found.signature_hash_algorithm.name == "sha256"


def test_long_realm_still_has_a_certificate(tmp_path: Path) -> None:
    """A realm longer than a common name may be is cut there."""
    ring = opened(tmp_path, "/" + "r" * 100)
    assert len(ring.list("/" + "r" * 100)) == 2


def test_new_key_is_active_and_the_old_one_is_retired(tmp_path: Path) -> None:
    """A generated key takes over at once, for its own algorithm; the old one signs by name."""
    ring = opened(tmp_path)
    old, other = str(ring.key_id("/", RS256)), str(ring.key_id("/", ES256))
    new = ring.generate("/", "RS256")
    assert states(ring) == {old: "retired", other: "active", new: "active"}
    assert ring.key_id("/", RS256) == new
    assert ring.signer("/", RS256, old).kid == old
    assert states(opened(tmp_path)) == states(ring)
    with pytest.raises(InvalidRequest, match="RS256, ES256"):
        ring.generate("/", "HS256")


def test_first_key_of_a_new_realm_can_be_generated(tmp_path: Path) -> None:
    """A realm that came later gets its keys by the same call."""
    ring = opened(tmp_path)
    kid = ring.generate("/later", "ES256")
    assert ring.key_id("later/", ES256) == kid


def test_jwks_shows_all_public_keys_and_nothing_private(tmp_path: Path) -> None:
    """Active and retired keys are in the set, each with its thumbprint, use and algorithm."""
    ring = opened(tmp_path)
    ring.generate("/", "ES256")
    jwks: Any = ring.jwks("/")
    assert [key["kid"] for key in jwks["keys"]] == [key.entry.kid for key in ring.list("/")]
    assert len(jwks["keys"]) == 3
    for key, judged in zip(jwks["keys"], KeySet.import_key_set(jwks).keys, strict=True):
        assert key["kid"] == judged.thumbprint()
        assert not judged.is_private
        assert key["use"] == "sig"
        assert key["alg"] == {"RSA": "RS256", "EC": "ES256"}[key["kty"]]
        assert set(key) <= {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
    assert ring.jwks("/nowhere") == {"keys": []}


def test_other_process_s_change_is_seen(tmp_path: Path) -> None:
    """A reload sees another process's new key and new realm, and does nothing in between."""
    ring, other = opened(tmp_path), opened(tmp_path)
    assert not ring.reload_if_changed()
    kid = other.generate("/", "ES256")
    later = other.generate("/later", "ES256")
    assert ring.key_id("/", ES256) != kid
    assert ring.reload_if_changed()
    assert ring.key_id("/", ES256) == kid
    assert ring.key_id("/later", ES256) == later
    assert not ring.reload_if_changed()
    assert not other.reload_if_changed()


def test_bad_set_never_replaces_a_good_one(tmp_path: Path) -> None:
    """A damaged index is reported once, and the keys in use stay in use."""
    ring = opened(tmp_path)
    before = states(ring)
    index = tmp_path / "root/ring.json"
    index.write_text("{")
    with pytest.raises(KeyRingError, match=r"ring\.json is damaged"):
        ring.reload_if_changed()
    assert not ring.reload_if_changed()
    assert states(ring) == before
    with pytest.raises(KeyRingError, match=r"ring\.json is damaged"):
        opened(tmp_path)


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
def test_index_is_not_believed(change: dict[str, Any], tmp_path: Path) -> None:
    """An index that names no thumbprint, state or algorithm of ours is damaged."""
    opened(tmp_path)
    index = tmp_path / "root/ring.json"
    content = json.loads(index.read_text())
    content["keys"][0].update(change)
    index.write_text(json.dumps(content))
    with pytest.raises(KeyRingError, match="damaged"):
        opened(tmp_path)


def test_missing_or_foreign_key_file_stops_the_start(tmp_path: Path) -> None:
    """A key that is gone, or is another one, is said by its file."""
    ring = opened(tmp_path)
    first, second = (tmp_path / "root" / f"{kid}.pem" for kid in states(ring))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(KeyRingError, match="holds another key than its name says"):
        opened(tmp_path)
    first.write_bytes(b"nothing")
    with pytest.raises(KeyRingError, match="is damaged"):
        opened(tmp_path)
    first.unlink()
    with pytest.raises(KeyRingError, match="is missing"):
        opened(tmp_path)
    first.write_bytes(content)
    first.with_suffix(".crt").write_text("nothing")
    with pytest.raises(KeyRingError, match="certificate"):
        opened(tmp_path)


def test_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """A file where the folder should be is a sentence, not a traceback."""
    (tmp_path / "keys").write_text("")
    with pytest.raises(KeyRingError, match="cannot be used"):
        opened(tmp_path / "keys")


def test_passphrase_encrypts_the_keys(tmp_path: Path) -> None:
    """With a passphrase no private key is on disk in clear, old ring or new key."""
    ring = opened(tmp_path, passphrase=PASSPHRASE)
    ring.generate("/", "ES256")
    files = list((tmp_path / "root").glob("*.pem"))
    assert len(files) == 3
    for path in files:
        assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert states(opened(tmp_path, passphrase=PASSPHRASE)) == states(ring)


@pytest.mark.parametrize(
    ("given", "reason"),
    [("other-one", r"does not open with keys\.passphrase"), (None, "encrypted"), ("", "encrypted")],
)
def test_wrong_passphrase_stops_the_start(given: str | None, reason: str, tmp_path: Path) -> None:
    """The error says which setting is wrong, and neither passphrase."""
    opened(tmp_path, passphrase=PASSPHRASE)
    with pytest.raises(KeyRingError, match=reason) as error:
        opened(tmp_path, passphrase=given)
    assert PASSPHRASE not in str(error.value)
    assert not given or given not in str(error.value)


def test_passphrase_that_came_later_encrypts_what_was_there(tmp_path: Path) -> None:
    """Keys written in clear are encrypted at the next start, and stay the same keys."""
    before = states(opened(tmp_path))
    after = states(opened(tmp_path, passphrase=PASSPHRASE))
    assert before == after
    for path in (tmp_path / "root").glob("*.pem"):
        assert b"ENCRYPTED" in path.read_bytes()
        assert mode(path) == 0o600


START = """
import sys
from functools import lru_cache
from pathlib import Path
from adapters.keys.files import KeyRing
print("ready", flush=True)
sys.stdin.readline()
ring = KeyRing.open(Path(sys.argv[1]), None, ["/", "/fred"])
print([key.entry.kid for realm in ("/", "/fred") for key in ring.list(realm)])
"""


def test_first_start_of_several_processes_ends_with_one_set(tmp_path: Path) -> None:
    """Processes that start at once all end up with the same keys."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(tmp_path / "keys")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert len(set(printed)) == 1
    assert printed[0].count("'") == 8
    assert len(list((tmp_path / "keys/root").glob("*.pem"))) == 2


def test_ring_survives_a_start_that_was_cut_off(tmp_path: Path) -> None:
    """Key files without an index do not count: the next start makes a set and uses that."""
    ring = opened(tmp_path)
    (tmp_path / "root/ring.json").unlink()
    again = opened(tmp_path)
    assert len(states(again)) == 2
    assert not set(states(again)) & set(states(ring))
    assert states(opened(tmp_path)) == states(again)
