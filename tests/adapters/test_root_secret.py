"""The root secret is made once, kept private, and gives a key to each purpose."""

from __future__ import annotations

import base64
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.keys.root_secret import (
    NONCE_BYTES,
    RootSecret,
    RootSecretError,
    RootSecretFile,
    SealBroken,
    Sealer,
    root_secret_from,
)
from broker.model import Secret

KEY = bytes(range(32))
REPOSITORY = Path(__file__).parents[2]
PURPOSES = ("answers", "fingerprint", "pseudonym", "instances", "wrapping")


def same_secret(one: RootSecret, other: RootSecret) -> bool:
    return one.derive("test") == other.derive("test")


def made(state_dir: Path) -> RootSecret:
    """As a broker of its own, which starts there, has it."""
    return RootSecretFile(state_dir).made()


# -- where it comes from -------------------------------------------------------------------------


def test_nothing_is_made_until_it_is_needed(tmp_path: Path) -> None:
    """To look for the file, and to ask for the id of what is not there, leaves no file behind."""
    file = RootSecretFile(tmp_path / "state")
    assert file.found() is None
    assert file.id == "root-secret/none"
    assert not (tmp_path / "state").exists()


def test_the_first_start_makes_a_private_file(tmp_path: Path) -> None:
    """The file and its folder are made, the file readable by its owner alone and nothing else."""
    first = made(tmp_path / "state")
    (file,) = (tmp_path / "state").iterdir()
    assert file.name == "root-secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = RootSecretFile(tmp_path / "state").found()
    assert found is not None
    assert same_secret(found, first)
    assert found.id == RootSecretFile(tmp_path / "state").id == first.id


def test_each_deployment_has_its_own(tmp_path: Path) -> None:
    """Two state folders get two secrets."""
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    assert not same_secret(one, other)
    assert one.id != other.id


def test_processes_that_start_at_once_share_one(tmp_path: Path) -> None:
    """Of several processes that find no file, all end with the same secret."""
    program = (
        "import sys; from pathlib import Path\n"
        "from adapters.keys.root_secret import RootSecretFile\n"
        "sys.stdin.readline()\n"
        "print(RootSecretFile(Path(sys.argv[1])).made().id)\n"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "state")],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    ids = {starter.communicate()[0] for starter in starters}
    assert ids == {made(tmp_path / "state").id + "\n"}
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["root-secret"]


def test_only_what_was_made_here_is_discarded(tmp_path: Path) -> None:
    """Discarding takes away the file that this object made, and none that was there before."""
    file = RootSecretFile(tmp_path)
    file.made()
    RootSecretFile(tmp_path).discard()
    assert file.found() is not None
    file.discard()
    assert file.found() is None


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.urlsafe_b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        f"  {KEY.hex()}\n",
    ],
)
def test_a_secret_may_be_written_in_either_way(text: str) -> None:
    """A secret given as text is read in base64url and in hexadecimal."""
    assert same_secret(root_secret_from(Secret(text), "it"), RootSecret(KEY))


@pytest.mark.parametrize(
    "text", ["", "hunter2", "ä" * 43, "!" * 43, "g" * 64, KEY[:31].hex(), (KEY + b"x").hex()]
)
def test_anything_else_is_refused_and_not_shown(text: str) -> None:
    """A text that is not 32 bytes is refused; neither error nor its causes quote it."""
    with pytest.raises(RootSecretError, match=r"^here must be 32 random bytes") as raised:
        root_secret_from(Secret(text), "here")
    assert raised.value.__cause__ is None
    assert not text or text not in str(raised.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A root secret that others may have read is not used silently."""
    made(tmp_path)
    (tmp_path / "root-secret").chmod(0o640)
    with pytest.raises(RootSecretError, match="mode 0600"):
        made(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A cut or empty file is an error, never replaced by a new secret."""
    made(tmp_path)
    for content in (b"", b"c2hvcnQ\n", b"\xff" * 43):
        (tmp_path / "root-secret").write_bytes(content)
        with pytest.raises(RootSecretError, match="root-secret"):
            made(tmp_path)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """If no file can be made, the error says which."""
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(RootSecretError, match="state"):
        made(tmp_path / "state")


# -- what it gives -------------------------------------------------------------------------------


def test_each_purpose_has_its_own_key() -> None:
    """The same purpose gives the same key, every other one another; none is the secret itself."""
    root = RootSecret(KEY)
    keys = {root.derive(purpose) for purpose in PURPOSES}
    assert len(keys | {root.fingerprint, KEY}) == len(PURPOSES) + 2
    assert root.derive("answers") == RootSecret(KEY).derive("answers")


def test_derivation_is_hkdf() -> None:
    """The key of a purpose is HKDF-SHA256 of the secret (RFC 5869), computed here by its steps."""
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    expected = hmac.digest(extracted, b"remint/answers\x01", "sha256")
    assert RootSecret(KEY).derive("answers") == expected


def test_it_does_not_show_itself() -> None:
    """Neither the root secret nor a sealer shows its key."""
    for hidden in (RootSecret(KEY), Sealer(KEY)):
        assert KEY.hex() not in repr(hidden)
        assert "\\x01\\x02" not in f"{hidden!r} {hidden}"


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_short_keys_are_refused(size: int) -> None:
    """Nothing is derived from or sealed with another number of bytes than 32."""
    with pytest.raises(ValueError, match="32 bytes"):
        RootSecret(bytes(size))
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(bytes(size))


# -- sealing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plaintext", [b"", b"x", b"answer" * 1000])
def test_what_is_sealed_opens_in_its_place(plaintext: bytes) -> None:
    """The same key and context open a seal, in which the plaintext cannot be read."""
    sealed = Sealer(KEY).seal(plaintext, b"place")
    assert Sealer(KEY).open(sealed, b"place") == plaintext
    assert len(plaintext) < 2 or plaintext not in sealed


def test_every_changed_byte_breaks_the_seal() -> None:
    """Version, nonce, ciphertext and tag are all authenticated, and so is the length."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"answer", b"place")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            sealer.open(bytes(changed), b"place")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:length], b"place")
    with pytest.raises(SealBroken):
        sealer.open(sealed + b"\0", b"place")


def test_another_place_or_key_does_not_open() -> None:
    """A seal opens neither under another context nor under the key of another purpose."""
    root = RootSecret(KEY)
    sealed = Sealer(root.derive("answers")).seal(b"answer", b"place")
    with pytest.raises(SealBroken):
        Sealer(root.derive("answers")).open(sealed, b"another place")
    with pytest.raises(SealBroken):
        Sealer(root.derive("instances")).open(sealed, b"place")


def test_no_nonce_comes_twice() -> None:
    """Ten thousand seals have ten thousand nonces."""
    sealer = Sealer(KEY)
    nonces = {sealer.seal(b"", b"")[1 : 1 + NONCE_BYTES] for _ in range(10_000)}
    assert len(nonces) == 10_000
