"""Every rule of a published document that is not in `test_publish_refusals`: one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.instances.forgerock import OIDC, SAML2
from adapters.instances.wire_rules import STRINGS
from broker.algorithms import DEFAULT_LEGACY, LEGACY, RSA_1_5, TRIPLE_DES, XML_SIGNATURES
from tests.http.states import body, state, transform
from tests.support import door as doors
from tests.support.door import Answer, Door
from tests.support.planted import MARK, Planted
from tests.support.recipients import certificate

CREATE = "/sts-publish/rest?_action=create"
CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
OAEP = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

Changes = Callable[[], dict[str, Any]]


async def _create(door: Door, instance_state: Any) -> Answer:
    head = await door.admin()
    return await door.request("POST", CREATE, body=body(instance_state), headers=head)


def _deployment(**changes: Any) -> Changes:
    return lambda: {"deployment": {key.replace("_", "-"): each for key, each in changes.items()}}


def _target(**changes: Any) -> Changes:
    entry = {"mapping-auth-index-type": "module", "mapping-auth-index-value": "m"} | {
        key.replace("_", "-"): each for key, each in changes.items()
    }
    return lambda: {"deployment": {"deployment-auth-target-mappings": {"X509": entry}}}


def _saml2(key: str, value: Any) -> Changes:
    return lambda: {"saml2": {key: value}}


def _oidc(key: str, value: Any) -> Changes:
    return lambda: {"oidc": {key: value}}


def _encrypted(**changes: Any) -> Changes:
    """A state that encrypts assertions; ``changes`` are those of its SAML section."""
    members = {
        "saml2-encrypt-assertion": "true",
        "saml2-encryption-algorithm": GCM,
        "saml2-encryption-algorithm-strength": "256",
    } | {f"saml2-{key.replace('_', '-')}": value for key, value in changes.items()}
    return lambda: {"saml2": {"saml2-encryption-certificate": certificate(), **members}}


def _jwe(key: Any, **changes: Any) -> Changes:
    members = {f"oidc-encryption-{name}": value for name, value in changes.items()}
    return lambda: {"oidc": {"oidc-encryption-key": key, **members}}


P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",  # RFC 7515, appendix A.3
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
VALIDATORS = "custom-token-validators"
HEADER = "deployment-offloaded-two-way-tls-header-key"
HOSTS = "deployment-tls-offload-engine-hosts"
TARGETS = "deployment-auth-target-mappings"


def _top(key: str, value: Any) -> Changes:
    return lambda: {"top": {key: value}}


BROKEN: dict[str, tuple[str, Changes]] = {
    # 3.4
    "custom pair among the standard ones": (
        "supported-token-transforms",
        _top("supported-token-transforms", [transform("X", "SAML2")]),
    ),
    "standard pair among the custom ones": (
        "custom-token-transforms",
        _top("custom-token-transforms", [transform("USERNAME", "SAML2")]),
    ),
    "custom pair without an operation": (
        "custom-token-transforms",
        _top("custom-token-transforms", [transform("USERNAME", "X")]),
    ),
    "validators no list": (VALIDATORS, _top(VALIDATORS, {"X": "plug-in"})),
    "validator without a name": (VALIDATORS, _top(VALIDATORS, [{"customOperationClassName": "a"}])),
    "validator of a standard type": (
        VALIDATORS,
        _top(VALIDATORS, [{"customTokenName": "SAML2", "customOperationClassName": "a"}]),
    ),
    "validator named twice": (
        VALIDATORS,
        _top(
            VALIDATORS,
            [{"customTokenName": "X", "customOperationClassName": name} for name in "ab"],
        ),
    ),
    "validator that is not there": (
        VALIDATORS,
        _top(VALIDATORS, [{"customTokenName": "X", "customOperationClassName": "no.such.Class"}]),
    ),
    "provider that is not there": (
        "custom-token-providers",
        _top(
            "custom-token-providers",
            [{"customTokenName": "X", "customOperationClassName": "no.such.Class"}],
        ),
    ),
    "tokens kept without records": (
        "keep-issued-tokens",
        lambda: {"top": {"keep-issued-tokens": "true", "persist-issued-tokens-in-cts": "false"}},
    ),
    # 3.5
    "no realm": ("deployment-realm", _deployment(deployment_realm=...)),
    "no mappings": (TARGETS, _deployment(deployment_auth_target_mappings=...)),
    "mappings null": (TARGETS, _deployment(deployment_auth_target_mappings=None)),
    "mapping no object": (TARGETS, _deployment(deployment_auth_target_mappings={"X509": "m"})),
    "no index type": ("mapping-auth-index-type", _target(mapping_auth_index_type=None)),
    "unknown index type": ("mapping-auth-index-type", _target(mapping_auth_index_type="chain")),
    "no index value": ("mapping-auth-index-value", _target(mapping_auth_index_value="")),
    "context no map": ("mapping-context", _target(mapping_context="x")),
    "header without hosts": (HOSTS, lambda: {"deployment": {HEADER: "X-Client-Cert"}}),
    "hosts without header": (HEADER, lambda: {"deployment": {HOSTS: ["10.0.0.1"]}}),
    "header with a blank": (HEADER, lambda: {"deployment": {HEADER: "a b", HOSTS: ["any"]}}),
    "host by name": (HOSTS, lambda: {"deployment": {HEADER: "X-C", HOSTS: ["proxy.example"]}}),
    "hosts no list": (HOSTS, lambda: {"deployment": {HEADER: "X-C", HOSTS: "any"}}),
    # 3.6
    "no SAML lifetime": (
        "saml2-token-lifetime-seconds",
        _saml2("saml2-token-lifetime-seconds", ...),
    ),
    "SAML lifetime in digits of another script": (
        "saml2-token-lifetime-seconds",
        _saml2("saml2-token-lifetime-seconds", "\u0663\u0660\u0660"),
    ),
    "no attribute map": ("saml2-attribute-map", _saml2("saml2-attribute-map", ...)),
    "attribute without a name": ("saml2-attribute-map", _saml2("saml2-attribute-map", {"f|": "a"})),
    "no strength": (
        "saml2-encryption-algorithm-strength",
        _saml2("saml2-encryption-algorithm-strength", ...),
    ),
    "whole and attributes": ("saml2-encrypt-assertion", _encrypted(encrypt_attributes="true")),
    "whole and NameID": ("saml2-encrypt-assertion", _encrypted(encrypt_nameid=True)),
    "no cipher": ("saml2-encryption-algorithm", _encrypted(encryption_algorithm=None)),
    "unknown cipher": ("saml2-encryption-algorithm", _encrypted(encryption_algorithm="rot13")),
    "triple DES": ("saml2-encryption-algorithm", _encrypted(encryption_algorithm=TRIPLE_DES)),
    "strength zero": (
        "saml2-encryption-algorithm-strength",
        _encrypted(encryption_algorithm_strength="0"),
    ),
    "strength of another cipher": (
        "saml2-encryption-algorithm-strength",
        _encrypted(encryption_algorithm_strength="128"),
    ),
    "key transport unknown": (
        "saml2-key-transport-algorithm",
        _encrypted(key_transport_algorithm="x"),
    ),
    "key transport legacy": (
        "saml2-key-transport-algorithm",
        _encrypted(key_transport_algorithm=RSA_1_5),
    ),
    "OAEP digest unknown": (
        "saml2-key-transport-digest",
        _encrypted(key_transport_algorithm=OAEP, key_transport_digest="md5"),
    ),
    "OAEP digest of the old form": (
        "saml2-key-transport-digest",
        _encrypted(key_transport_digest="sha256"),
    ),
    "no recipient": ("saml2-encryption-certificate", _encrypted(encryption_certificate=None)),
    "recipient without an alias": (
        "saml2-encryption-key-alias",
        _encrypted(encryption_certificate=None),
    ),
    "recipient named twice": (
        "saml2-encryption-certificate",
        _encrypted(encryption_key_alias="sp"),
    ),
    "recipient no certificate": (
        "saml2-encryption-certificate",
        _encrypted(encryption_certificate="Zm9v"),
    ),
    "recipient no base64": (
        "saml2-encryption-certificate",
        _encrypted(encryption_certificate="-----"),
    ),
    "recipient small": (
        "saml2-encryption-certificate",
        lambda: _encrypted(encryption_certificate=certificate("small"))(),
    ),
    "recipient of another kind": (
        "saml2-encryption-certificate",
        lambda: _encrypted(encryption_certificate=certificate("EC"))(),
    ),
    "unknown signature": (
        "saml2-signature-algorithm",
        _saml2("saml2-signature-algorithm", "dsa-sha1"),
    ),
    "HMAC signature": ("saml2-signature-algorithm", _saml2("saml2-signature-algorithm", "HS256")),
    "unknown digest": ("saml2-digest-algorithm", _saml2("saml2-digest-algorithm", "md5")),
    "legacy digest": ("saml2-digest-algorithm", _saml2("saml2-digest-algorithm", "sha1")),
    "context map no map": (
        "saml2-authn-context-map",
        _saml2("saml2-authn-context-map", ["USERNAME"]),
    ),
    "authn instant": ("saml2-authn-instant", _saml2("saml2-authn-instant", "now")),
    "attribute of a made NameID": (
        "saml2-name-id-attribute",
        lambda: {"saml2": {"saml2-name-id-format": PERSISTENT, "saml2-name-id-attribute": "mail"}},
    ),
    # 3.7
    "no OIDC lifetime": (
        "oidc-token-lifetime-seconds",
        _oidc("oidc-token-lifetime-seconds", ...),
    ),
    "no claim map": ("oidc-claim-map", _oidc("oidc-claim-map", ...)),
    "claim from nowhere": ("oidc-claim-map", _oidc("oidc-claim-map", {"email": ""})),
    "issuer no URI": ("oidc-issuer", _oidc("oidc-issuer", "our: issuer")),
    "secret short for its hash": (
        "oidc-client-secret",
        lambda: {
            "oidc": {
                "oidc-signature-algorithm": "HS512",
                "oidc-client-secret": f"{MARK}".ljust(63, "x"),
            }
        },
    ),
    "several values": ("oidc-multi-valued-claims", _oidc("oidc-multi-valued-claims", "first")),
    "methods no map": ("oidc-authn-methods-map", _oidc("oidc-authn-methods-map", "pwd")),
    "methods of numbers": (
        "oidc-authn-methods-map",
        _oidc("oidc-authn-methods-map", {"USERNAME": [1]}),
    ),
    "JWK no object": ("oidc-encryption-key", _jwe("key")),
    "JWK private": ("oidc-encryption-key", _jwe(P256 | {"d": "AQ"})),
    "JWK of a secret": ("oidc-encryption-key", _jwe({"kty": "oct", "k": "AQ"})),
    "JWK off the curve": ("oidc-encryption-key", _jwe(P256 | {"y": P256["x"]})),
    "JWE algorithm of another key": (
        "oidc-encryption-algorithm",
        _jwe(P256, algorithm="RSA-OAEP"),
    ),
    "JWE content unknown": ("oidc-encryption-method", _jwe(P256, method="A128CBC")),
    "JWE algorithm without a key": ("oidc-encryption-algorithm", _jwe(None, algorithm="ECDH-ES")),
    "ID token context mapper": (
        "oidc-custom-authn-context-mapper-class",
        _oidc("oidc-custom-authn-context-mapper-class", "org.example.Mapper"),
    ),
    "ID token methods mapper": (
        "oidc-custom-authn-method-references-mapper-class",
        _oidc("oidc-custom-authn-method-references-mapper-class", "org.example.Mapper"),
    ),
    **{
        f"SAML2 {part} plug-in": (key, _saml2(key, "org.example.Provider"))
        for part in ("conditions", "subject", "authentication-statements", "attribute-statements")
        for key in [f"saml2-custom-{part}-provider-class-name"]
    },
}


@pytest.mark.parametrize("rule", BROKEN)
async def test_broken_rule(door: Door, rule: str) -> None:
    """A document that breaks a rule is a 400 that names the key, and publishes nothing."""
    key, changes = BROKEN[rule]
    answer = await _create(door, state(**changes()))
    assert answer.status == 400, answer.text
    assert {problem["key"] for problem in answer.body["detail"]} >= {key}, answer.text
    assert await door.broker.stores.instances.get("orders") is None


async def test_all_of_them_at_once(door: Door) -> None:
    """Rules, what is missing and keys that cannot be found are told in one answer."""
    broken = state(
        deployment={"deployment-realm": ..., "deployment-url-element": ""},
        saml2={"issuer-name": "", "saml2-signature-key-alias": "no-such-kid"},
        oidc={"oidc-claim-map": ..., "oidc-encryption-key": {"kty": "EC"}},
    )
    answer = await _create(door, broken)
    assert {problem["key"] for problem in answer.body["detail"]} == {
        "deployment-realm",
        "deployment-url-element",
        "issuer-name",
        "saml2-signature-key-alias",
        "oidc-claim-map",
        "oidc-encryption-key",
    }


async def test_no_string_where_nothing_uses_it(door: Door) -> None:
    """What is to be a string is one, also where nothing is signed or encrypted by it."""
    saml2, oidc = (dict.fromkeys(STRINGS[section], 7) for section in (SAML2, OIDC))
    nothing_signs = {"saml2-sign-assertion": "false"}, {"oidc-signature-algorithm": "NONE"}
    sent = state(saml2=saml2 | nothing_signs[0], oidc=oidc | nothing_signs[1])
    answer = await _create(door, sent)
    named = [problem["key"] for problem in answer.body["detail"]]
    assert sorted(named) == sorted({*saml2, *oidc}), answer.text


LEGACY_ROWS: dict[str, Changes] = {
    "sha1": _saml2("saml2-signature-algorithm", XML_SIGNATURES["RS1"]),
    "rsa-1_5": _encrypted(key_transport_algorithm=RSA_1_5),
    "cbc": _encrypted(encryption_algorithm=CBC, encryption_algorithm_strength="128"),
    "short-hmac": _oidc("oidc-client-secret", f"short-{MARK}"),
}


@pytest.mark.parametrize("name", LEGACY)
@pytest.mark.parametrize("allowed", [True, False, None])
async def test_legacy_by_name(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    capsys: pytest.CaptureFixture[str],
    name: str,
    allowed: bool | None,
) -> None:
    """A weak output publishes with a warning where settings name it, and else is a 400 that says
    which name; unsaid, only CBC does."""
    names = {True: [name], False: [each for each in LEGACY if each != name]}
    security = {} if allowed is None else {"allow_legacy_output": names[allowed]}
    async with doors.opened(tmp_path / "state", planted, security=security) as door:
        answer = await _create(door, state(**LEGACY_ROWS[name]()))
        said.extend(door.refusals)
    fine = name in DEFAULT_LEGACY if allowed is None else allowed
    assert answer.status == (201 if fine else 400), answer.text
    assert fine or name in answer.body["message"]
    logged = capsys.readouterr().err
    said.append(logged)
    assert ("an instance asks for weak output" in logged and name in logged) is fine


@pytest.mark.parametrize(
    "changes",
    [
        _target(mapping_context={"x509_token_auth_target_header_key": "client_cert"}),
        _deployment(deployment_auth_target_mappings={}),
        lambda: {"deployment": {HEADER: "X-Client-Cert", HOSTS: ["any"]}},
        lambda: {"deployment": {HEADER: "X-C", HOSTS: ["10.0.0.1", "10.1.0.0/16", "::1"]}},
        _encrypted(),
        _encrypted(key_transport_algorithm=OAEP, key_transport_digest="sha256"),
        lambda: _encrypted(encryption_certificate=certificate(days=-1))(),
        _jwe(P256),
        _saml2("saml2-digest-algorithm", "http://www.w3.org/2001/04/xmlenc#sha512"),
        _oidc("oidc-authn-methods-map", {"USERNAME": "pwd otp"}),
        _oidc("oidc-signature-algorithm", "NONE"),
        _saml2("saml2-sp-acs-url", None),
    ],
)
async def test_what_publishes(door: Door, changes: Changes) -> None:
    """What keeps the rules publishes, and is read back as it was written."""
    sent = state(**changes())
    answer = await _create(door, sent)
    assert answer.status == 201, answer.text
    read = await door.request("GET", "/sts-publish/rest/orders", headers=await door.admin())
    written = read.body["orders"]
    assert written["deployment-config"] == sent["deployment-config"]
    assert set(written["saml2-config"]) == set(sent["saml2-config"])
