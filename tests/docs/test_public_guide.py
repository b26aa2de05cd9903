"""The public guide's own curl lines, against a demo broker: only host, port and session differ.

The guide is that of the REST STS in Access Management; its lines keep their shell quoting, their
path prefix and their form-encoded blanks.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.docs.conftest import Demo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the guide uses curl"),
]

TRANSLATE = """curl \\
--request POST \\
--header "Content-Type: application/json" \\
--data '{
  "input_token_state": {
    "token_type": "USERNAME",
    "username": "demo",
    "password": "Ch4ng31t"
  },
  "output_token_state": OUTPUT
}' \\
URL/rest-sts/username-transformer?_action=translate"""

TO_SAML2 = '{"token_type": "SAML2", "subject_confirmation": "BEARER"}'
TO_OPENID_CONNECT = '{"token_type": "OPENIDCONNECT", "nonce": "471564333", "allow_access": true}'

PRESENT = """curl \\
--request POST \\
--header "iPlanetDirectoryPro: SESSION" \\
--header "Content-Type: application/json" \\
--data '{
    "MEMBER": {
        "token_type": "OPENIDCONNECT",
        "oidc_id_token": "TOKEN"
    }
}' \\
 URL/rest-sts/username-transformer?_action=ACTION"""

QUERY = """curl \\
--request GET \\
--header "iPlanetDirectoryPro: SESSION" \\
URL/sts-tokengen?_queryFilter=\\/FIELD+eq+\\'VALUE\\'"""

DELETE = """curl \\
--request DELETE \\
--header "iPlanetDirectoryPro: SESSION" \\
URL/sts-tokengen/TOKEN"""

PUBLISH = """curl \\
--request POST \\
--header "iPlanetDirectoryPro: SESSION" \\
--header "Content-Type: application/json" \\
--data '{
    "invocation_context": "invocation_context_client_sdk",
    "instance_state":
    {
        "saml2-config":
        {
            "issuer-name":"saml2-issuer",
            "saml2-sp-entity-id":"saml2-sp-entity-id",
            "saml2-sp-acs-url":"https://sp.example.com:8443/acs",
            "saml2-name-id-format":"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            "saml2-token-lifetime-seconds":"600",
            "saml2-attribute-map":{"email":"mail"},
            "saml2-sign-assertion":"true",
            "saml2-encrypt-assertion":"false",
            "saml2-encrypt-attributes":"false",
            "saml2-encrypt-nameid":"false",
            "saml2-encryption-algorithm-strength":"0",
            "saml2-keystore-filename":"remint:",
            "saml2-keystore-password":"",
            "saml2-signature-key-alias":"active",
            "saml2-signature-key-password":""
        },
        "deployment-config":
        {
            "deployment-url-element":"guide-transformer",
            "deployment-realm":"/",
            "deployment-auth-target-mappings":{
                "USERNAME":{
                    "mapping-auth-index-type":"service",
                    "mapping-auth-index-value":"ldapService"
                }
            }
        },
        "persist-issued-tokens-in-cts":"false",
        "supported-token-transforms":[{
            "inputTokenType":"USERNAME",
            "outputTokenType":"OPENIDCONNECT",
            "invalidateInterimOpenAMSession":false
        }],
        "oidc-id-token-config":{
            "oidc-issuer":"test",
            "oidc-token-lifetime-seconds":"600",
            "oidc-audience":["guide"],
            "oidc-signature-algorithm":"RS256",
            "oidc-claim-map":{}
        }
    }
}' \\
URL/sts-publish/rest?_action=create"""

READ = """curl \\
--request GET \\
--header "iPlanetDirectoryPro: SESSION" \\
URL/sts-publish/rest/guide-transformer"""


@pytest.fixture(params=["", "/openam", "/am"])
def prefix(request: pytest.FixtureRequest) -> str:
    """What stood in front of the path in the guide may stay."""
    return str(request.param)


def _ran(demo: Demo, prefix: str, line: str, **words: str) -> Any:
    words["URL"] = f"http://127.0.0.1:{demo.port}{prefix}"
    # In one pass: a session id may well have one of the words in it.
    line = re.sub("|".join(words), lambda word: words[word[0]], line)
    ran = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True
    )
    answer = json.loads(ran.stdout)
    assert "code" not in answer, answer
    return answer


def _session(demo: Demo) -> str:
    password = (demo.folder / ".remint" / "admin-password").read_text().strip()
    line = (
        "curl --request POST --header 'X-OpenAM-Username: admin' "
        "--header 'X-OpenAM-Password: SECRET' URL/json/authenticate"
    )
    return str(_ran(demo, "", line, SECRET=password)["tokenId"])


def test_tokens_are_translated_listed_validated_and_cancelled(demo: Demo, prefix: str) -> None:
    """Both translations work, and the ID token is listed, valid, cancelled and then not valid."""
    assertion = _ran(demo, prefix, TRANSLATE, OUTPUT=TO_SAML2)["issued_token"]
    assert assertion.startswith("<saml:Assertion ")
    token = _ran(demo, prefix, TRANSLATE, OUTPUT=TO_OPENID_CONNECT)["issued_token"]
    session = _session(demo)
    words = {"SESSION": session, "TOKEN": token}

    by_instance = _ran(
        demo, prefix, QUERY, SESSION=session, FIELD="sts_id", VALUE="username-transformer"
    )
    by_user = _ran(demo, prefix, QUERY, SESSION=session, FIELD="token_principal", VALUE="demo")
    assert by_instance["resultCount"] >= 2
    # The demo itself may issue one between the two questions, and has some for another's subject.
    owned = [token for token in by_instance["result"] if token["principal_name"] == "demo"]
    assert len(owned) >= 2
    assert all(token in by_user["result"] for token in owned)
    assert by_user["totalPagedResultsPolicy"] == "NONE"

    asked = {"MEMBER": "validated_token_state", "ACTION": "validate"}
    assert _ran(demo, prefix, PRESENT, **asked, **words) == {"token_valid": True}
    asked = {"MEMBER": "cancelled_token_state", "ACTION": "cancel"}
    assert _ran(demo, prefix, PRESENT, **asked, **words) == {
        "result": "OPENIDCONNECT token cancelled successfully."
    }
    asked = {"MEMBER": "validated_token_state", "ACTION": "validate"}
    assert _ran(demo, prefix, PRESENT, **asked, **words) == {"token_valid": False}


def test_a_listed_token_is_deleted(demo: Demo, prefix: str) -> None:
    """Deleting by the id that the list shows answers in the guide's words, and ends the token."""
    _ran(demo, prefix, TRANSLATE, OUTPUT=TO_OPENID_CONNECT)
    session = _session(demo)
    listing = {"SESSION": session, "FIELD": "token_principal", "VALUE": "demo"}
    token_id = _ran(demo, prefix, QUERY, **listing)["result"][0]["_id"]
    assert _ran(demo, prefix, DELETE, SESSION=session, TOKEN=token_id) == {
        "_id": token_id,
        "_rev": token_id,
        "result": f"token with id {token_id} successfully removed.",
    }
    left = _ran(demo, prefix, QUERY, **listing)["result"]
    assert token_id not in [item["_id"] for item in left]


def test_an_instance_is_published_and_read_back(demo: Demo) -> None:
    """The guide's publish line, with another URL element and a completed body, works at once."""
    session = _session(demo)
    published = _ran(demo, "/openam", PUBLISH, SESSION=session)
    assert published["_id"] == published["url_element"] == "guide-transformer"
    assert published["result"] == "success"
    read = _ran(demo, "/openam", READ, SESSION=session)
    assert read["_rev"] == published["_rev"]
    state = read["guide-transformer"]
    assert state["oidc-id-token-config"]["oidc-token-lifetime-seconds"] == "600"
    assert state["deployment-config"]["deployment-auth-target-mappings"]["USERNAME"]
    at_new = TRANSLATE.replace("username-transformer", "guide-transformer")
    assert _ran(demo, "/openam", at_new, OUTPUT=TO_OPENID_CONNECT)["issued_token"]
