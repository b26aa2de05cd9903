"""Wrapping keys: root secret, certificate, plug-in; and which of them is the present one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters import preflight
from adapters.keys.certificate_wrapper import CertificateWrapper
from adapters.keys.deployment import KeyWrapper
from adapters.keys.root_secret import RootSecret, RootSecretFile, SealBroken, WrappingKeyError
from adapters.keys.wrapper_contract import KeyWrapperContract
from adapters.keys.wrapping import plugged_in, wrappers_of
from adapters.settings import Keys, Settings
from broker.errors import Unavailable
from broker.model import Secret
from tests.support.wrapping_keys import (
    KINDS,
    install_plugin,
    pem_pair,
    private_key,
    written_pair,
)

PASSPHRASE = "correct-horse-battery"
SECRET = "01" * 32
PREVIOUS = "02" * 32


# -- the contract --------------------------------------------------------------------------------


class TestRootSecret(KeyWrapperContract):
    """A root secret is a wrapping key."""

    @pytest.fixture
    def wrapper(self) -> KeyWrapper:
        return RootSecret(bytes(32))

    @pytest.fixture
    def same_wrapper(self) -> KeyWrapper:
        return RootSecret(bytes(32))

    @pytest.fixture
    def other_wrapper(self) -> KeyWrapper:
        return RootSecret(bytes([1] * 32))


class TestRootSecretFile(KeyWrapperContract):
    """So is one in a file, from its first wrapping on."""

    @pytest.fixture
    def wrapper(self, tmp_path: Path) -> KeyWrapper:
        RootSecretFile(tmp_path).made()
        return RootSecretFile(tmp_path)

    @pytest.fixture
    def same_wrapper(self, tmp_path: Path) -> KeyWrapper:
        return RootSecretFile(tmp_path)

    @pytest.fixture
    def other_wrapper(self, tmp_path: Path) -> KeyWrapper:
        return RootSecretFile(tmp_path / "other")


@pytest.fixture(params=KINDS, scope="module")
def pair(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    return pem_pair(private_key(request.param))


class TestCertificate(KeyWrapperContract):
    """So is the key of a certificate, of each kind that is offered."""

    @pytest.fixture
    def wrapper(self, pair: tuple[bytes, bytes]) -> KeyWrapper:
        return CertificateWrapper(*pair)

    @pytest.fixture
    def same_wrapper(self, pair: tuple[bytes, bytes]) -> KeyWrapper:
        return CertificateWrapper(*pair)

    @pytest.fixture
    def other_wrapper(self, pair: tuple[bytes, bytes]) -> KeyWrapper:
        kind = "rsa" if len(pair[1]) > 1000 else "p256"
        return CertificateWrapper(*pem_pair(private_key(kind)))


class TestPlugIn(KeyWrapperContract):
    """So is what an installed plug-in makes."""

    @pytest.fixture
    def wrapper(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyWrapper:
        install_plugin(tmp_path, monkeypatch)
        return plugged_in("acme")

    @pytest.fixture
    def same_wrapper(self, wrapper: KeyWrapper) -> KeyWrapper:
        return plugged_in("acme")

    @pytest.fixture
    def other_wrapper(
        self, wrapper: KeyWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> KeyWrapper:
        install_plugin(tmp_path, monkeypatch, "other")
        return plugged_in("acme")


# -- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "p256"])
async def test_the_certificate_alone_makes_nothing_that_opens(kind: str) -> None:
    """Who has the certificate and can write to the store cannot put in a key of their own."""
    own, theirs = private_key(kind), private_key(kind)
    wrapper, stranger = CertificateWrapper(*pem_pair(own)), CertificateWrapper(*pem_pair(theirs))
    good, alien = await wrapper.wrap(bytes(32)), await stranger.wrap(bytes([7] * 32))
    mine, others = _parts(good), _parts(alien)
    forged = [_joined(others[0], mine[1]), _joined(mine[0], others[1]), _joined(b"", mine[1])]
    if isinstance(own, rsa.RSAPrivateKey):
        oaep = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
        planted = own.public_key().encrypt(bytes([7] * 32), oaep)
        forged += [_joined(signature, planted) for signature in (mine[0], others[0], b"")]
    for value in forged:
        with pytest.raises(SealBroken):
            await wrapper.unwrap(value)
    assert await wrapper.unwrap(_joined(*mine)) == bytes(32)


def _parts(wrapped: bytes) -> tuple[bytes, bytes]:
    """Signature and encrypted key."""
    end = 3 + int.from_bytes(wrapped[1:3], "big")
    return wrapped[3:end], wrapped[end:]


def _joined(signature: bytes, encrypted: bytes) -> bytes:
    return b"\x01" + len(signature).to_bytes(2, "big") + signature + encrypted


def test_the_id_is_that_of_the_key() -> None:
    """A renewed certificate of the same key has the same id, and nothing of the key shows."""
    key = private_key("p256")
    (first, pem), (renewed, _) = pem_pair(key), pem_pair(key)
    assert first != renewed
    wrapper = CertificateWrapper(first, pem)
    assert wrapper.id == CertificateWrapper(renewed, pem).id
    assert wrapper.id.startswith("certificate/")
    assert repr(wrapper) == f"CertificateWrapper({wrapper.id})"


async def test_an_encrypted_key_is_read_with_its_passphrase() -> None:
    """The key of a certificate may be kept encrypted."""
    key = private_key("p384")
    certificate, pem = pem_pair(key, PASSPHRASE)
    wrapped = await CertificateWrapper(*pem_pair(key)).wrap(bytes(32))
    assert await CertificateWrapper(certificate, pem, Secret(PASSPHRASE)).unwrap(wrapped)


def _wrong_pairs(certificate: bytes, key: bytes) -> dict[str, tuple[bytes, bytes]]:
    """What is wrong with a pair, and the pair."""
    ed25519_key = ed25519.Ed25519PrivateKey.generate()
    ed25519_pem = ed25519_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "this is no certificate in PEM": (b"x", key),
        "this is no certificate": (key, key),
        "this is no private key in PEM": (certificate, b"x"),
        "this is no private key": (certificate, certificate),
        "does not belong to the certificate": (pem_pair(private_key("p256"))[0], key),
        "1024 bits: use 2048 to 8192": pem_pair(private_key("rsa1024")),
        "secp521r1 is not offered": pem_pair(private_key("p521")),
        "this kind of key is not offered": (certificate, ed25519_pem),
        "is encrypted; set keys.wrapping_passphrase": pem_pair(private_key("p256"), PASSPHRASE),
    }


def test_a_pair_that_cannot_be_used_is_refused() -> None:
    """Each thing that can be wrong with a certificate and its key has its sentence."""
    for sentence, wrong in _wrong_pairs(*pem_pair(private_key("p256"))).items():
        with pytest.raises(WrappingKeyError, match=sentence):
            CertificateWrapper(*wrong)


def test_a_wrong_passphrase_is_refused_and_not_shown() -> None:
    """A passphrase that does not open the key is named as the cause; neither it nor more shows."""
    with pytest.raises(WrappingKeyError, match="not its passphrase") as raised:
        CertificateWrapper(*pem_pair(private_key("p256"), PASSPHRASE), Secret("wr0ng-one"))
    assert "wr0ng-one" not in str(raised.value)
    assert raised.value.__cause__ is None


# -- which is present ----------------------------------------------------------------------------


def settings(state: Path, **keys: Any) -> Settings:
    return Settings(state_dir=state, keys=Keys(**keys))


def pair_settings(folder: Path, name: str = "tls") -> dict[str, Path]:
    written_pair(folder, name)
    return {
        "wrapping_certificate": folder / f"{name}.pem",
        "wrapping_key": folder / f"{name}.key",
    }


def kinds(found: list[KeyWrapper]) -> list[str]:
    return [wrapper.id.partition("/")[0] for wrapper in found]


def test_without_settings_it_is_the_file(tmp_path: Path) -> None:
    """The root secret of the state folder wraps by default, and is not made by asking for it."""
    (wrapper,) = wrappers_of(settings(tmp_path))
    assert isinstance(wrapper, RootSecretFile)
    assert list(tmp_path.iterdir()) == []


def test_a_root_secret_in_the_settings_wins_over_the_file(tmp_path: Path) -> None:
    """The file is then not even looked at; the previous secret comes after the present one."""
    RootSecretFile(tmp_path).made()
    found = wrappers_of(settings(tmp_path, root_secret=SECRET, previous_root_secret=PREVIOUS))
    assert [wrapper.id for wrapper in found] == [
        RootSecret(bytes.fromhex(SECRET)).id,
        RootSecret(bytes.fromhex(PREVIOUS)).id,
    ]


def test_a_certificate_wins_over_a_root_secret(tmp_path: Path) -> None:
    """A certificate is the present key, and takes over from whatever root secrets there are."""
    given = pair_settings(tmp_path)
    state = tmp_path / "state"
    assert kinds(wrappers_of(settings(state, **given))) == ["certificate"]
    with_secret = settings(state, root_secret=SECRET, previous_root_secret=PREVIOUS, **given)
    assert kinds(wrappers_of(with_secret)) == ["certificate", "root-secret", "root-secret"]
    root = RootSecretFile(state).made()
    assert [wrapper.id for wrapper in wrappers_of(settings(state, **given))][1:] == [root.id]


def test_a_plug_in_wins_over_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in is the present key, and takes over from a certificate and a root secret."""
    install_plugin(tmp_path, monkeypatch)
    given = pair_settings(tmp_path)
    found = wrappers_of(settings(tmp_path, wrapper="acme", root_secret=SECRET, **given))
    assert kinds(found) == ["hsm", "certificate", "root-secret"]


# -- plug-ins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("half", "made an object without id, wrap, unwrap"),
        ("failing", "RuntimeError: no licence"),
        ("absent", "AttributeError"),
        ("borrowed", "does not begin with root-secret/ or certificate/"),
        ("wordy", "one word"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_named(
    function: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in that does not keep to the port stops the start with its name and the reason."""
    install_plugin(tmp_path, monkeypatch, function)
    with pytest.raises(WrappingKeyError, match=sentence) as raised:
        plugged_in("acme")
    assert "the plug-in acme" in str(raised.value)


def test_a_plug_in_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown name is refused with the names that are installed."""
    install_plugin(tmp_path, monkeypatch)
    with pytest.raises(WrappingKeyError, match=r"no plug-in kms in remint\.wrappers.*acme"):
        plugged_in("kms")


async def test_a_plug_in_that_fails_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong inside a plug-in is Unavailable, with its cause for the audit."""
    install_plugin(tmp_path, monkeypatch, "away")
    wrapper = plugged_in("acme")
    for work in (wrapper.wrap, wrapper.unwrap):
        with pytest.raises(Unavailable, match="hsm/1 cannot be used: ConnectionError") as raised:
            await work(bytes(32))
        assert "no route" in str(raised.value.detail)


async def test_a_plug_in_that_does_not_answer_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start waits for a plug-in for a bounded time, and takes nothing but bytes from it."""
    monkeypatch.setattr("adapters.keys.wrapping.PLUGIN_SECONDS", 0.01)
    install_plugin(tmp_path, monkeypatch, "mute")
    wrapper = plugged_in("acme")
    with pytest.raises(Unavailable, match="hsm/1 cannot be used: TimeoutError"):
        await wrapper.unwrap(bytes(32))
    with pytest.raises(Unavailable, match="hsm/1 cannot be used: TypeError"):
        await wrapper.wrap(bytes(32))


# -- what config check says ----------------------------------------------------------------------


def test_config_check_lists_every_problem(tmp_path: Path) -> None:
    """Certificate, plug-in and secrets are all looked at; nothing is made and no secret shown."""
    wrong = settings(
        tmp_path,
        wrapper="kms",
        wrapping_certificate=tmp_path / "tls.pem",
        root_secret="hunter2",
        previous_root_secret="hunter3",
    )
    said = preflight.problems(wrong)
    assert [line.split(":")[0] for line in said] == [
        "keys.wrapper",
        "keys.wrapping_certificate",
        "keys.root_secret",
        "keys.previous_root_secret",
    ]
    assert "go together" in said[1]
    assert "hunter" not in "".join(said)
    given = settings(tmp_path, wrapping_certificate=tmp_path / "a", wrapping_key=tmp_path / "b")
    assert preflight.problems(given) == [
        f"keys.wrapping_certificate: cannot read {tmp_path / 'a'}: No such file or directory"
    ]
    assert list(tmp_path.iterdir()) == []


def test_two_wrapping_keys_are_a_warning(tmp_path: Path) -> None:
    """Certificate and root secret together are how one moves: no problem, but worth a word."""
    both = settings(tmp_path, root_secret=SECRET, **pair_settings(tmp_path))
    assert preflight.problems(both) == []
    (warning,) = preflight.warnings(both)
    assert warning.startswith("keys.root_secret: ")
    assert preflight.warnings(settings(tmp_path, root_secret=SECRET)) == []
