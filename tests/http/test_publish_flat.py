"""`invocation_context_view_bean`: an instance as a flat map of packed strings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http import judges
from tests.support.door import ASSERTION, ID_TOKEN, Answer, Door, user_input
from tests.support.planted import CLIENT_SECRET

REST = "/sts-publish/rest"
FLAT = "invocation_context_view_bean"
TARGETS = "deployment-auth-target-mappings"


def _flat(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "deployment-url-element": ["flat"],
        "deployment-realm": ["/"],
        TARGETS: ["USERNAME|service|ldapService", "X509|module|cert|header=client_cert,more=b"],
        "persist-issued-tokens-in-cts": ["TRUE"],
        "supported-token-transforms": ["USERNAME|SAML2|TRUE", "USERNAME|OPENIDCONNECT|false"],
        "custom-token-transforms": [],
        "issuer-name": ["https://sts.example.com"],
        "saml2-sp-entity-id": ["https://sp.example.com"],
        "saml2-attribute-map": ["mail=mail", 'team="a=b"'],
        "saml2-sign-assertion": ["true"],
        "saml2-token-lifetime-seconds": ["300"],
        "saml2-sp-acs-url": [""],
        "oidc-issuer": ["https://sts.example.com"],
        "oidc-audience": ["client", "another"],
        "oidc-signature-algorithm": ["HS256"],
        "oidc-client-secret": [CLIENT_SECRET],
        "oidc-claim-map": ["email=mail"],
    }
    made.update({key.replace("_", "-"): value for key, value in changes.items()})
    return made


async def _send(door: Door, flat: Any, method: str = "POST", path: str = "") -> Answer:
    sent = {"invocation_context": FLAT, "instance_state": flat}
    head = await door.admin()
    return await door.request(method, REST + path, body=sent, headers=head)


async def test_publish_and_read(door: Door) -> None:
    """It publishes what the structured form does, and is read back structured."""
    answer = await _send(door, _flat())
    assert (answer.status, answer.body["url_element"]) == (201, "flat"), answer.text
    read = await door.request("GET", f"{REST}/flat", headers=await door.admin())
    state = read.body["flat"]
    assert state["deployment-config"][TARGETS]["X509"] == {
        "mapping-auth-index-type": "module",
        "mapping-auth-index-value": "cert",
        "mapping-context": {"header": "client_cert", "more": "b"},
    }
    assert state["saml2-config"]["saml2-attribute-map"] == {"mail": "mail", "team": '"a=b"'}
    assert state["oidc-id-token-config"]["oidc-client-secret"] == "(unchanged)"
    assert [t["invalidateInterimOpenAMSession"] for t in state["supported-token-transforms"]] == [
        True,
        False,
    ]
    answer = await door.translate(user_input(), ID_TOKEN, instance="flat")
    token = await judges.id_token(door, answer.body["issued_token"], "HS256")
    assert token.claims["aud"] == ["client", "another"]
    assert token.claims["exp"] - token.claims["iat"] == 600
    answer = await door.translate(user_input(), ASSERTION, instance="flat")
    assertion = await judges.assertion(door, answer.body["issued_token"])
    values = judges.texts(assertion, ".//saml:AttributeValue")
    assert sorted(values) == ["a=b", "demo@example.com"]


async def test_update_keeps_secrets(door: Door) -> None:
    """A flat update may leave a secret as a read showed it."""
    await _send(door, _flat())
    changed = _flat(oidc_client_secret=["(unchanged)"], oidc_token_lifetime_seconds=["60"])
    answer = await _send(door, changed, "PUT", "/flat")
    assert answer.status == 200, answer.text
    answer = await door.translate(user_input(), ID_TOKEN, instance="flat")
    token = await judges.id_token(door, answer.body["issued_token"], "HS256")
    assert token.claims["exp"] - token.claims["iat"] == 60


async def test_key_that_means_nothing_here(door: Door) -> None:
    """A key of another version of AM is kept with all its values."""
    foreign = {"oidc-of-tomorrow": ["one", "two"], "of-tomorrow": ["one", "two"]}
    assert (await _send(door, {**_flat(), **foreign})).status == 201
    read = await door.request("GET", f"{REST}/flat", headers=await door.admin())
    state = read.body["flat"]
    assert state["of-tomorrow"] == ["one", "two"]
    assert state["oidc-id-token-config"]["oidc-of-tomorrow"] == ["one", "two"]


@pytest.mark.parametrize("missing", ["issuer-name", "oidc-issuer"])
async def test_section_without_an_issuer(door: Door, missing: str) -> None:
    """A section whose issuer is empty is left out, unless a transform needs it."""
    other = {"issuer-name": "OPENIDCONNECT", "oidc-issuer": "SAML2"}[missing]
    kept = {**_flat(), missing: [], "supported-token-transforms": [f"USERNAME|{other}|true"]}
    assert (await _send(door, kept)).status == 201
    needed = {**_flat(), missing: [""], "deployment-url-element": ["needed"]}
    answer = await _send(door, needed)
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, missing)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("supported-token-transforms", ["USERNAME|SAML2"]),
        ("supported-token-transforms", ["USERNAME|SAML2|perhaps"]),
        ("supported-token-transforms", ["USERNAME|SAML2|true|more"]),
        ("custom-token-transforms", ["X"]),
        ("custom-token-validators", ["X"]),
        ("custom-token-validators", ["X|a|b"]),
        ("custom-token-providers", ["|a"]),
        (TARGETS, ["X509|module"]),
        (TARGETS, ["X509||cert"]),
        (TARGETS, ["X509|module|cert|header"]),
        ("saml2-attribute-map", ["mail"]),
        ("oidc-claim-map", ["=mail"]),
        ("oidc-audience", [7]),
        ("oidc-audience", {"a": "b"}),
        ("oidc-issuer", ["one", "two"]),
        ("deployment-url-element", True),
    ],
)
async def test_not_packed_so(door: Door, key: str, value: Any) -> None:
    """A value that is not in its packed form is a 400 that names its key."""
    answer = await _send(door, {**_flat(), key: value})
    assert answer.status == 400
    assert key in {problem["key"] for problem in answer.body["detail"]}


async def test_every_one_is_named(door: Door) -> None:
    """All values that are not in their packed form are told in one answer."""
    answer = await _send(door, _flat(oidc_claim_map=["x"], supported_token_transforms=["y"]))
    named = {problem["key"] for problem in answer.body["detail"]}
    assert named == {"oidc-claim-map", "supported-token-transforms"}
