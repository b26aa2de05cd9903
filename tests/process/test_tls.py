"""TLS at the front door, and the refusal to be reachable without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.certificates import loopback_certificate
from tests.support.door import session_input
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.process import remint

pytestmark = pytest.mark.slow

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # to be refused


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Settings with a certificate for 127.0.0.1 that was made for this test."""
    certificate, key = loopback_certificate(tmp_path)
    return {
        "HTTP__TLS": "on",
        "HTTP__TLS_CERTIFICATE": str(certificate),
        "HTTP__TLS_KEY": str(key),
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
    """Behind a proxy that terminates TLS any address will do, with a word on what it then shows."""
    settings = {"HTTP__HOST": EVERY_ADDRESS, "HTTP__TLS": "offloaded"}
    done = remint("config", "check", state=tmp_path / "state", settings=settings)
    assert done.returncode == 0
    assert "/metrics is on the main port" in done.stderr
    settings["HTTP__MANAGEMENT_PORT"] = "9464"
    done = remint("config", "check", state=tmp_path / "state", settings=settings)
    assert (done.returncode, done.stderr) == (0, "")


def _login() -> dict[str, str]:
    return {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}
