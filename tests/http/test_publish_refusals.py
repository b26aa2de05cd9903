"""`/sts-publish/rest`: every document and every request that it refuses, and why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.states import STRUCTURED, body, state
from tests.support.door import (
    ELEMENT,
    HEADER,
    REALM,
    Answer,
    Door,
)
from tests.support.planted import MARK

REST = "/sts-publish/rest"
CREATE = f"{REST}?_action=create"


async def _create(door: Door, instance_state: Any, head: dict[str, str] | None = None) -> Answer:
    head = head or await door.admin()
    return await door.request("POST", CREATE, body=body(instance_state), headers=head)


@pytest.mark.parametrize(
    "other", [state("another"), state(realm=REALM), state("Orders"), state("orders", "/fred")]
)
async def test_path_and_body_disagree(door: Door, other: Any) -> None:
    """An update whose body names another instance than its path is a 400, and changes nothing."""
    head = await door.admin()
    revision = (await _create(door, state(), head)).body["_rev"]
    answer = await door.request("PUT", f"{REST}/orders", body=body(other), headers=head)
    assert answer.status == 400, answer.text
    read = await door.request("GET", f"{REST}/orders", headers=head)
    assert read.body["_rev"] == revision


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["nowhere", "fred/bobo/orders", "ORDERS"])
async def test_unknown_instance(door: Door, method: str, path: str) -> None:
    """Reading, updating and deleting what is not published is a 404; letter case counts."""
    head = await door.admin()
    await _create(door, state(), head)
    sent = body(state()) if method == "PUT" else None
    answer = await door.request(method, f"{REST}/{path}", body=sent, headers=head)
    assert (answer.status, answer.body["reason"]) == (404, "Not Found")


@pytest.mark.parametrize("element", ["orders", "Orders", "ORDERS"])
async def test_published_already(door: Door, element: str) -> None:
    """A second instance of one name is a 409, whatever the letter case."""
    head = await door.admin()
    await _create(door, state(), head)
    answer = await _create(door, state(element), head)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_unknown_realm(door: Door) -> None:
    """An instance of a realm that does not exist is a 404."""
    answer = await _create(door, state(realm="/nowhere"))
    assert answer.status == 404


BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "no deployment": ("deployment-config", {"top": {"deployment-config": ...}}),
    "deployment no object": ("deployment-config", {"top": {"deployment-config": "x"}}),
    "no url element": ("deployment-url-element", {"deployment": {"deployment-url-element": ...}}),
    "url element empty": ("deployment-url-element", {"deployment": {"deployment-url-element": ""}}),
    "slash inside": ("deployment-url-element", {"deployment": {"deployment-url-element": "a/b"}}),
    "element a number": ("deployment-url-element", {"deployment": {"deployment-url-element": 7}}),
    "mappings no object": (
        "deployment-auth-target-mappings",
        {"deployment": {"deployment-auth-target-mappings": []}},
    ),
    "no transform": ("supported-token-transforms", {"top": {"supported-token-transforms": []}}),
    "transforms no list": (
        "supported-token-transforms",
        {"top": {"supported-token-transforms": {}}},
    ),
    "transform no object": (
        "supported-token-transforms",
        {"top": {"supported-token-transforms": ["USERNAME|SAML2|true"]}},
    ),
    "custom transform without a plug-in": (
        "custom-token-transforms",
        {"top": {"custom-token-transforms": [{"inputTokenType": "X", "outputTokenType": "SAML2"}]}},
    ),
    "plug-in class": (
        "custom-token-validators",
        {"top": {"custom-token-validators": [{"customTokenName": "X"}]}},
    ),
    "flag no flag": (
        "persist-issued-tokens-in-cts",
        {"top": {"persist-issued-tokens-in-cts": "yes"}},
    ),
    "no SAML2 section": ("saml2-config", {"top": {"saml2-config": None}}),
    "no OIDC section": ("oidc-id-token-config", {"top": {"oidc-id-token-config": None}}),
    "SAML2 section no object": ("saml2-config", {"top": {"saml2-config": []}}),
    "no issuer-name": ("issuer-name", {"saml2": {"issuer-name": ...}}),
    "no entity id": ("saml2-sp-entity-id", {"saml2": {"saml2-sp-entity-id": " "}}),
    "lifetime zero": (
        "saml2-token-lifetime-seconds",
        {"saml2": {"saml2-token-lifetime-seconds": "0"}},
    ),
    "lifetime negative": (
        "saml2-token-lifetime-seconds",
        {"saml2": {"saml2-token-lifetime-seconds": -5}},
    ),
    "lifetime no number": (
        "saml2-token-lifetime-seconds",
        {"saml2": {"saml2-token-lifetime-seconds": "ten"}},
    ),
    "attribute map no map": ("saml2-attribute-map", {"saml2": {"saml2-attribute-map": ["mail"]}}),
    "attribute map of numbers": (
        "saml2-attribute-map",
        {"saml2": {"saml2-attribute-map": {"a": 1}}},
    ),
    "signature algorithm": (
        "saml2-signature-algorithm",
        {"saml2": {"saml2-signature-algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}},
    ),
    "key store elsewhere": (
        "saml2-keystore-filename",
        {"saml2": {"saml2-keystore-filename": "/etc/keys.jks"}},
    ),
    "unknown SAML2 key": (
        "saml2-signature-key-alias",
        {"saml2": {"saml2-signature-key-alias": "no-such-kid"}},
    ),
    "SAML2 plug-in": (
        "saml2-custom-attribute-mapper-class-name",
        {"saml2": {"saml2-custom-attribute-mapper-class-name": "org.example.Mapper"}},
    ),
    "no OIDC issuer": ("oidc-issuer", {"oidc": {"oidc-issuer": ""}}),
    "no audience": ("oidc-audience", {"oidc": {"oidc-audience": []}}),
    "audience no list": ("oidc-audience", {"oidc": {"oidc-audience": "client"}}),
    "audience of numbers": ("oidc-audience", {"oidc": {"oidc-audience": [1]}}),
    "audience blank": ("oidc-audience", {"oidc": {"oidc-audience": ["client", " "]}}),
    "no algorithm": ("oidc-signature-algorithm", {"oidc": {"oidc-signature-algorithm": ...}}),
    "unknown algorithm": (
        "oidc-signature-algorithm",
        {"oidc": {"oidc-signature-algorithm": "RSA"}},
    ),
    "no secret": ("oidc-client-secret", {"oidc": {"oidc-client-secret": ...}}),
    "short secret": ("oidc-client-secret", {"oidc": {"oidc-client-secret": f"short-{MARK}"}}),
    "key reference": (
        "oidc-public-key-reference-type",
        {"oidc": {"oidc-public-key-reference-type": "JWT"}},
    ),
    "OIDC lifetime too long": (
        "oidc-token-lifetime-seconds",
        {"oidc": {"oidc-token-lifetime-seconds": "999999999"}},
    ),
    "claim map no map": ("oidc-claim-map", {"oidc": {"oidc-claim-map": "mail"}}),
    "unknown OIDC key": (
        "oidc-signature-key-alias",
        {"oidc": {"oidc-signature-algorithm": "RS256", "oidc-signature-key-alias": "gone"}},
    ),
    "OIDC plug-in": (
        "oidc-custom-claim-mapper-class",
        {"oidc": {"oidc-custom-claim-mapper-class": "org.example.Mapper"}},
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
async def test_broken_rule(door: Door, rule: str) -> None:
    """A document that breaks a rule is a 400 that names the key, and publishes nothing."""
    key, changes = BROKEN[rule]
    answer = await _create(door, state(**changes))
    assert answer.status == 400, answer.text
    assert key in {problem["key"] for problem in answer.body["detail"]}
    assert key in answer.body["message"]
    assert await door.broker.stores.instances.get("orders") is None


async def test_all_problems_at_once(door: Door) -> None:
    """One answer names every rule that the document breaks."""
    broken = state(
        "a/b",
        top={"persist-issued-tokens-in-cts": "perhaps"},
        saml2={"issuer-name": "", "saml2-token-lifetime-seconds": "x"},
        oidc={"oidc-audience": [], "oidc-signature-algorithm": "none"},
    )
    answer = await _create(door, broken)
    assert {problem["key"] for problem in answer.body["detail"]} == {
        "deployment-url-element",
        "persist-issued-tokens-in-cts",
        "issuer-name",
        "saml2-token-lifetime-seconds",
        "oidc-audience",
        "oidc-signature-algorithm",
    }
    assert all(problem["message"] for problem in answer.body["detail"])


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "PATCH"])
async def test_who_may_not(door: Door, method: str) -> None:
    """Without a session it is a 401, for a user without the role a 403, and nothing changes."""
    path = CREATE if method == "POST" else f"{REST}/{ELEMENT}"
    ordinary = {HEADER: await door.login()}
    for head, status in (({}, 401), ({HEADER: "unknown"}, 401), (ordinary, 403)):
        answer = await door.request(method, path, body=body(state()), headers=head)
        assert answer.status == status
    assert [document.id for document in await door.broker.stores.instances.list()] == [ELEMENT]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"instance_state": state()},
        {"invocation_context": STRUCTURED},
        body(state(), "something else"),
        body(state(), None),
        body("text"),
        body([]),
        body(None),
        [],
        "text",
    ],
)
async def test_wrong_envelope(door: Door, sent: Any) -> None:
    """A publish without its context and its state is a 400, on create as on update."""
    head = await door.admin()
    for method, path in (("POST", CREATE), ("PUT", f"{REST}/{ELEMENT}")):
        answer = await door.request(method, path, body=sent, headers=head)
        assert answer.status == 400


@pytest.mark.parametrize(("method", "path"), [("POST", CREATE), ("PUT", f"{REST}/{ELEMENT}")])
async def test_body_not_json(door: Door, method: str, path: str) -> None:
    """A body that is not JSON is a 400 that says where it stops being so."""
    answer = await door.request(method, path, data=b"{'a': 1}", headers=await door.admin())
    assert (answer.status, set(answer.body)) == (400, {"code", "reason", "message", "detail"})


@pytest.mark.parametrize(("method", "path"), [("POST", CREATE), ("PUT", f"{REST}/{ELEMENT}")])
async def test_missing_content_type(door: Door, method: str, path: str) -> None:
    """Create and update insist on a content type."""
    async with door.http.request(
        method,
        door.url + path,
        data=b"{}",
        headers=await door.admin(),
        skip_auto_headers=["Content-Type"],
    ) as answer:
        assert answer.status == 400
        assert "Content-Type" in (await answer.json())["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{REST}?_queryFilter=true", 501),
        ("GET", f"{REST}/{ELEMENT}?_queryFilter=true", 501),
        ("GET", f"{REST}?_queryId=all", 501),
        ("POST", f"{REST}?_action=destroy", 403),
        ("POST", f"{REST}?_action=CREATE", 403),
        ("POST", f"{REST}/{ELEMENT}?_action=create", 403),
        ("PATCH", f"{REST}/{ELEMENT}", 403),
        ("PUT", REST, 400),
        ("DELETE", REST, 400),
        ("GET", "/sts-publish/soap", 501),
        ("POST", "/sts-publish/soap?_action=create", 501),
        ("DELETE", "/sts-publish/soap/orders", 501),
        ("POST", "/sts-publish", 404),
    ],
)
async def test_nothing_else(door: Door, method: str, path: str, status: int) -> None:
    """Every other call has the answer that the contract gives it."""
    answer = await door.request(method, path, body=body(state()), headers=await door.admin())
    assert (answer.status, answer.body["code"]) == (status, status)


async def test_create_under_an_old_protocol(door: Door) -> None:
    """Before protocol 2.1 a create names its action."""
    head = {**await door.admin(), "Accept-API-Version": "protocol=2.0"}
    assert (await door.request("POST", REST, body=body(state()), headers=head)).status == 400
    assert (await door.request("POST", CREATE, body=body(state()), headers=head)).status == 201


async def test_create_only(door: Door) -> None:
    """A PUT that must not meet an instance is refused where one is published."""
    head = {**await door.admin(), "If-None-Match": "*"}
    path = f"{REST}/{ELEMENT}"
    answer = await door.request("PUT", path, body=body(state(ELEMENT)), headers=head)
    assert answer.status == 409
