"""TLS at the front door, and the refusal to be reachable without it."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import session_input
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.process import remint

pytestmark = pytest.mark.slow

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # to be refused


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Settings with a certificate for 127.0.0.1 that was made for this test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "remint test")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (tmp_path / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "tls.key").write_bytes(pem)
    return {
        "HTTP__TLS": "on",
        "HTTP__TLS_CERTIFICATE": str(tmp_path / "tls.crt"),
        "HTTP__TLS_KEY": str(tmp_path / "tls.key"),
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_https(brokers: Brokers, planted: Planted, tls: dict[str, str], workers: str) -> None:
    """With TLS on, the port speaks https with the given certificate, and nothing in clear."""
    broker = brokers("serve", "--workers", workers, settings=tls)
    broker.start()
    cafile = Path(tls["HTTP__TLS_CERTIFICATE"])
    given = session_input(set_up(broker.url, planted, cafile=cafile))
    with Caller(broker.url, planted, cafile=cafile) as caller:
        assert caller.translate(given).status == 200
        answer = caller.request("POST", "/json/authenticate", headers=_login())
        assert "; Secure" in answer.headers["Set-Cookie"]
    with (
        pytest.raises(ConnectionError),
        Caller(broker.url.replace("https", "http"), planted) as caller,
    ):
        caller.request("GET", "/livez")


@pytest.mark.parametrize("command", [("config", "check"), ("serve",)], ids=["check", "serve"])
def test_clear_text_stays_home(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Without TLS no address beyond loopback is served; exit code 2, and nothing is made."""
    done = remint(*command, state=tmp_path / "state", settings={"HTTP__HOST": EVERY_ADDRESS})
    assert done.returncode == 2
    assert "set http.tls to on" in done.stderr
    assert not (tmp_path / "state").exists()


def test_offloaded(tmp_path: Path) -> None:
    """Behind a proxy that terminates TLS any address will do."""
    settings = {"HTTP__HOST": EVERY_ADDRESS, "HTTP__TLS": "offloaded"}
    done = remint("config", "check", state=tmp_path / "state", settings=settings)
    assert (done.returncode, done.stderr) == (0, "")


def _login() -> dict[str, str]:
    return {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}
