"""One broker for the whole matrix: four inputs, an instance for each way of writing a token.

The instances are published over HTTP, in the words of the ForgeRock API.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from broker.algorithms import HMAC_ALGORITHMS, OIDC_ALGORITHMS, XML_SIGNATURES
from tests.handlers.saml2_judges import provider_key
from tests.http.states import body, state, transform
from tests.http.test_id_tokens import SECRET
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Answer, Door, session_input, user_input
from tests.support.issuers import FOREIGN, id_token, token_input, trust
from tests.support.pki import HEADER, INPUT, NAME, Holder, accept, root
from tests.support.planted import Planted

USERNAME, OPENAM, X509, OPENIDCONNECT = INPUTS = ("USERNAME", "OPENAM", "X509", "OPENIDCONNECT")
METHODS = ("BEARER", "HOLDER_OF_KEY", "SENDER_VOUCHES")
SIGNATURES = ("RS256", "ES256")
PLAIN, ASSERTION, ATTRIBUTES, NAME_ID = WAYS = ("plain", "assertion", "attributes", "nameid")
ALGORITHMS = sorted(OIDC_ALGORITHMS)
UNSIGNED = "unsigned"

SUBJECTS = {
    USERNAME: "demo",
    OPENAM: "demo",
    X509: f"x509://{NAME}#CN=alice",
    OPENIDCONNECT: FOREIGN,
}
COMMON_NAMES = {
    USERNAME: "Démo <1>",
    OPENAM: "Démo <1>",
    X509: "alice",
    OPENIDCONNECT: 'Alice & "Co"',
}
CONTEXTS = {
    USERNAME: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    OPENAM: "urn:oasis:names:tc:SAML:2.0:ac:classes:PreviousSession",
    X509: "urn:oasis:names:tc:SAML:2.0:ac:classes:X509",
    OPENIDCONNECT: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
}
CIPHER = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
PARTY = "portal"


def saml2_element(signature: str, way: str) -> str:
    return f"saml2-{signature}-{way}".lower()


def oidc_element(algorithm: str) -> str:
    return f"oidc-{algorithm}".lower()


def settings_of_the_shell() -> list[str]:
    """Variables that must not reach a broker of the tests."""
    return [name for name in os.environ if name.startswith("REMINT_")]


@dataclass
class World:
    """A broker that everything was published to, and whoever comes with a token."""

    door: Door
    alice: Holder

    async def shown(self, given: str) -> tuple[dict[str, Any], dict[str, str]]:
        """A subject token of that type as the request's state, and the headers beside it."""
        if given == USERNAME:
            return user_input(), {}
        if given == OPENAM:
            return session_input(await self.door.login()), {}
        if given == X509:
            return INPUT, self.alice.head()
        token = id_token(cn=COMMON_NAMES[OPENIDCONNECT])
        self.door.planted.note(token)
        return token_input(token), {}

    async def translate(self, given: str, wanted: dict[str, Any], element: str) -> Answer:
        shown, head = await self.shown(given)
        return await self.door.translate(shown, wanted, instance=element, headers=head)

    async def assertion(self, given: str, method: str, element: str) -> str:
        """An assertion for the input, its holder's key being that of ``alice``."""
        wanted: dict[str, Any] = {"token_type": "SAML2", "subject_confirmation": method}
        if method == "HOLDER_OF_KEY":
            wanted["proof_token_state"] = {"base64EncodedCertificate": self.alice.base64}
        answer = await self.translate(given, wanted, element)
        assert answer.status == 200, answer.text
        return str(answer.body["issued_token"])

    async def id_token(self, given: str, element: str) -> str:
        answer = await self.translate(given, ID_TOKEN, element)
        assert answer.status == 200, answer.text
        return str(answer.body["issued_token"])


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    """The broker. What it told refused callers and its audit hold no secret when it closes."""
    planted = Planted()
    async with doors.opened(folder, planted) as door:
        anchor = root()
        alice = anchor.issue(COMMON_NAMES[X509])
        await accept(door, anchor)
        await trust(door)
        await _publish(door)
        yield World(door, alice)
        said = door.refusals
    assert not planted.found_in([*said, (folder / "audit.log").read_text()])


async def _publish(door: Door) -> None:
    head = await door.admin()
    for instance_state in _states():
        path = "/sts-publish/rest?_action=create"
        answer = await door.request("POST", path, body=body(instance_state), headers=head)
        assert answer.status == 201, answer.text


def _states() -> list[dict[str, Any]]:
    signed = [_saml2(signature, way) for signature in SIGNATURES for way in WAYS]
    unsigned = [_saml2(UNSIGNED, way) for way in WAYS]
    return [*signed, *unsigned, *map(_oidc, ALGORITHMS)]


def _saml2(signature: str, way: str) -> dict[str, Any]:
    """Two attributes: one of the subject's, one constant."""
    options: dict[str, Any] = {
        "saml2-attribute-map": {"name": "cn", "team": '"orders"'},
        "saml2-sign-assertion": "false" if signature == UNSIGNED else "true",
    }
    if signature != UNSIGNED:
        options["saml2-signature-algorithm"] = XML_SIGNATURES[signature]
    if way != PLAIN:
        certificate = x509.load_der_x509_certificate(provider_key()[1])
        options |= {
            f"saml2-encrypt-{way}": "true",
            "saml2-encryption-algorithm": CIPHER,
            "saml2-encryption-algorithm-strength": "256",
            "saml2-encryption-certificate": Holder(certificate, provider_key()[0]).pem,
        }
    return _state(saml2_element(signature, way), "SAML2", saml2=options)


def _oidc(algorithm: str) -> dict[str, Any]:
    options = {
        "oidc-signature-algorithm": algorithm,
        "oidc-client-secret": SECRET if algorithm in HMAC_ALGORITHMS else None,
        "oidc-authorized-party": PARTY,
        "oidc-claim-map": {"name": "cn"},
    }
    return _state(oidc_element(algorithm), "OPENIDCONNECT", oidc=options)


def _state(element: str, output: str, **sections: Any) -> dict[str, Any]:
    return state(
        element,
        deployment={
            "deployment-offloaded-two-way-tls-header-key": HEADER,
            "deployment-tls-offload-engine-hosts": ["127.0.0.1"],
        },
        top={"supported-token-transforms": [transform(given, output) for given in INPUTS]},
        **sections,
    )
