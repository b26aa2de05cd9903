"""Client certificates at a broker that was started like any other."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import TIMEOUT_SECONDS
from tests.support.certificates import loopback_certificate
from tests.support.door import ID_TOKEN
from tests.support.pki import INPUT, client_context, root
from tests.support.planted import Planted

pytestmark = pytest.mark.slow


def test_served(brokers: Brokers, planted: Planted, tmp_path: Path) -> None:
    """With settings and files alone a broker asks for certificates and takes a chain that its
    client sends."""
    anchor = root()
    certificate, key = loopback_certificate(tmp_path)
    authority, _ = anchor.files(tmp_path, "clients")
    (tmp_path / "authorities.toml").write_text(
        '[[authority]]\nname = "partner"\nanchors_file = "clients.pem"\nrevocation = "off"\n'
    )
    (tmp_path / "instance.toml").write_text(
        'url_element = "from-certificates"\ntransforms = ["X509 -> OPENIDCONNECT"]\n'
        '[oidc]\nissuer = "https://sts.example.com"\naudience = ["client"]\n'
        'signing_key = "ES256"\n'
    )
    settings = {
        "HTTP__TLS": "on",
        "HTTP__TLS_CERTIFICATE": str(certificate),
        "HTTP__TLS_KEY": str(key),
        "HTTP__TLS_CLIENT_CA": str(authority),
        "AUTHORITIES__FILE": str(tmp_path / "authorities.toml"),
        "INSTANCES": json.dumps([str(tmp_path / "instance.toml")]),
    }
    broker = brokers("serve", settings=settings)
    broker.start()
    middle = anchor.issue("Middle", authority=True, usage=None)
    context = client_context(certificate, middle.issue("alice"), tmp_path, [middle])
    place = urlsplit(broker.url).netloc
    connection = http.client.HTTPSConnection(place, timeout=TIMEOUT_SECONDS, context=context)
    body = json.dumps({"input_token_state": INPUT, "output_token_state": ID_TOKEN})
    with contextlib.closing(connection):
        connection.request("POST", "/rest-sts/from-certificates?_action=translate", body)
        answer = connection.getresponse()
        token = json.loads(answer.read())["issued_token"]
    planted.note(token)
    assert (answer.status, token.count(".")) == (200, 2)
