"""``remint demo`` as a stranger runs it."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.support.ports import free_port
from tests.support.process import BrokerProcess, ended, remint

pytestmark = pytest.mark.slow


def _demo(tmp_path: Path, **settings: str) -> tuple[int, str, str]:
    broker = BrokerProcess(tmp_path, "demo", settings=settings)
    return _once(broker)


def _once(broker: BrokerProcess) -> tuple[int, str, str]:
    done = remint(
        "demo", state=broker.state, settings=broker.settings, environment={"DEMO_ONCE": "1"}
    )
    return done.returncode, done.stdout, done.stderr


def _shows_all(out: str) -> bool:
    """Each of the six transforms, with its curl and the token in plain words."""
    titles = [line.split(" ─")[0] for line in out.splitlines() if line.startswith("── ")]
    return (
        titles
        == [
            "── USERNAME → OPENIDCONNECT",
            "── USERNAME → SAML2",
            "── OPENAM → OPENIDCONNECT",
            "── OPENAM → SAML2",
            "── OPENIDCONNECT → OPENIDCONNECT",
            "── OPENIDCONNECT → SAML2",
        ]
        and out.count("curl --request POST") == 6
        and out.count('"sub": "demo"') == 2
        and out.count(">demo</saml:NameID>") == 2
        and out.count('"sub": "https://demo-issuer.example.com#alice"') == 1
        and out.count(">https://demo-issuer.example.com#alice</saml:NameID>") == 1
        and out.count("<ds:SignatureValue") == 3
    )


def test_demo_twice(tmp_path: Path) -> None:
    """The demo shows all it can and exits with 0, on a new state folder and on one it knows."""
    broker = BrokerProcess(tmp_path, "demo")
    for _ in range(2):
        code, out, err = _once(broker)
        assert (code, err) == (0, "")
        assert _shows_all(out), out


def test_demo_with_workers(tmp_path: Path) -> None:
    """Two workers make no difference to the demo."""
    code, out, err = _demo(tmp_path, WORKERS="2")
    assert (code, err) == (0, "")
    assert _shows_all(out), out


def test_demo_with_a_management_port(tmp_path: Path) -> None:
    """The demo finds out that the broker is ready wherever that is told."""
    code, out, err = _demo(tmp_path, HTTP__MANAGEMENT_PORT=str(free_port()))
    assert (code, err) == (0, "")
    assert _shows_all(out), out


def test_demo_serves_on(tmp_path: Path) -> None:
    """Without DEMO_ONCE it goes on serving every pair, says where, and ends with 0 when told to."""
    broker = BrokerProcess(tmp_path, "demo")
    with ended(broker):
        broker.launch()
        broker.wait_for(lambda: "Serving at" in broker.output())
        assert f"Serving at {broker.url}." in broker.output()
        assert broker.answers("/readyz")
        assert "client certificate" in _asked_without_certificate(broker.url)
        assert broker.terminate() == 0


def _asked_without_certificate(url: str) -> str:
    """What the demo's instance says to an X509 that comes without one: it offers that too."""
    body = {
        "input_token_state": {"token_type": "X509"},
        "output_token_state": {"token_type": "SAML2", "subject_confirmation": "BEARER"},
    }
    place = f"{url}/rest-sts/username-transformer?_action=translate"
    asked = urllib.request.Request(place, json.dumps(body).encode(), method="POST")
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=30)  # the broker that was just started
    with refused.value as answer:
        return str(json.load(answer)["message"])


def test_demo_on_a_taken_port(tmp_path: Path) -> None:
    """Where another program listens, the demo says so in one sentence; exit code 1."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        code, out, err = _demo(tmp_path, HTTP__PORT=str(port))
    assert (code, out) == (1, "")
    assert err == (
        f"remint: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "REMINT_HTTP__PORT names another port\n"
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_demo_fails_aloud(tmp_path: Path, workers: str) -> None:
    """A demo that cannot show a translation exits with 1: here the audit's disk is full."""
    code, out, err = _demo(tmp_path, WORKERS=workers, AUDIT__FILE="/dev/full")
    assert code == 1
    assert "the audit cannot be written" in err
    assert not _shows_all(out)
