"""Sets a fresh OpenAM up over HTTP: the server, its algorithms and names, an instance."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.peers import PeerFailed
from bench.peers.java import ALIAS, STORE_PASSWORD
from bench.peers.loopback import FORM, HOST, PAUSE_SECONDS, START_SECONDS

CONTEXT = "/openam"
DOMAIN_HOST = "openam.bench.example"
"""Never looked up in the DNS: the JVM has a file for it, and we connect to 127.0.0.1."""
INSTANCE = "bench"
ISSUER = "https://openam.bench.example"
OIDC_AUDIENCE = "bench"
SAML2_AUDIENCE = "https://sp.bench.example"
USER = "demo"
PASSWORD = "changeit"  # noqa: S105  # of the user whom OpenAM makes in every embedded directory
ADMINISTRATOR = "amadmin"
SUFFIX = "dc=openam,dc=bench,dc=example"
LIFETIME_SECONDS = 600
CONFIGURE_SECONDS = 600.0
"""Setting OpenAM up takes a free machine half a minute."""
COMPLETE = "Configuration complete"
SHOWN = 300

_VERSION = {"Accept-API-Version": "protocol=1.0,resource=1.0"}
_NAMES = "/json/global-config/servers/server-default/properties/advanced"
_CHANGES: Mapping[str, Mapping[str, Any]] = {
    # Before the first assertion: OpenAM reads the algorithms once.
    "/json/global-config/services/federation/common": {
        "algorithms": {
            "signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "DigestAlgorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
        }
    },
    # Both, so that logins are answered where the Host is 127.0.0.1.
    "/json/global-config/realms/Lw": {"parentPath": "", "aliases": [DOMAIN_HOST, HOST]},
    _NAMES: {f"com.sun.identity.server.fqdnMap[{HOST}]": HOST},
}
"""What is set over OpenAM's defaults, by the path of the settings; Lw is the root realm."""
_READ_ONLY = ("_id", "_rev", "_type")


@dataclass(frozen=True, slots=True)
class Site:
    """The OpenAM on a port of 127.0.0.1."""

    port: int
    directory_ports: Sequence[int]
    """LDAP, administration and JMX of the embedded OpenDJ."""
    folder: Path
    """Where it keeps its configuration and its directory."""
    keys: Path
    """The JKS file that tokens are signed from."""
    kept: bool


def configured(site: Site) -> None:
    """Set it up and publish the instance; raises PeerFailed."""
    password = secrets.token_hex(16)
    _install(site, password)
    prepared(site, password)


def prepared(site: Site, password: str) -> None:
    """Change what the administrator must change, and publish the instance; raises PeerFailed."""
    head = {"iPlanetDirectoryPro": _session(site, ADMINISTRATOR, password), **_VERSION}
    for path in _CHANGES:
        _change(site, path, head)
    _json(site, "POST", "/sts-publish/rest?_action=create", publication(site), head)
    _heard(site, head)


def _change(site: Site, path: str, head: Mapping[str, str]) -> None:
    settings = _json(site, "GET", path, None, head)
    wanted = {name: value for name, value in settings.items() if name not in _READ_ONLY}
    _json(site, "PUT", path, _merged(wanted, _CHANGES[path]), head)


def _heard(site: Site, head: Mapping[str, str]) -> None:
    """Wait for a login by address. OpenAM may miss the change that allows it: then it is made
    again. Raises PeerFailed."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            _session(site, USER, PASSWORD, host=HOST)
            return
        except PeerFailed:
            if time.monotonic() > until:
                raise
        _change(site, _NAMES, head)
        time.sleep(PAUSE_SECONDS)


def _merged(settings: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """Objects member by member, everything else replaced."""
    changed = dict(settings)
    for name, value in members.items():
        inner = isinstance(value, Mapping)
        changed[name] = _merged(changed.get(name) or {}, value) if inner else value
    return changed


def publication(site: Site) -> dict[str, Any]:
    """The body that publishes the instance."""
    return {
        "invocation_context": "invocation_context_client_sdk",
        "instance_state": {
            "deployment-config": {
                "deployment-url-element": INSTANCE,
                "deployment-realm": "/",
                "deployment-auth-target-mappings": {
                    "USERNAME": {
                        "mapping-auth-index-type": "service",
                        "mapping-auth-index-value": "ldapService",
                    }
                },
            },
            "supported-token-transforms": [
                _transform(given, wanted)
                for given in ("USERNAME", "OPENAM")
                for wanted in ("OPENIDCONNECT", "SAML2")
            ],
            "persist-issued-tokens-in-cts": str(site.kept).lower(),
            "oidc-id-token-config": _oidc(site),
            "saml2-config": _saml2(site),
        },
    }


def _transform(given: str, wanted: str) -> dict[str, object]:
    return {
        "inputTokenType": given,
        "outputTokenType": wanted,
        "invalidateInterimOpenAMSession": given != "OPENAM",
    }


def _oidc(site: Site) -> dict[str, object]:
    return {
        "oidc-issuer": ISSUER,
        "oidc-audience": [OIDC_AUDIENCE],
        "oidc-token-lifetime-seconds": str(LIFETIME_SECONDS),
        "oidc-signature-algorithm": "RS256",
        "oidc-public-key-reference-type": "NONE",
        "oidc-claim-map": {},
        "oidc-keystore-location": str(site.keys),
        "oidc-keystore-password": STORE_PASSWORD,
        "oidc-signature-key-alias": ALIAS,
        "oidc-signature-key-password": STORE_PASSWORD,
    }


def _saml2(site: Site) -> dict[str, object]:
    return {
        "issuer-name": ISSUER,
        "saml2-sp-entity-id": SAML2_AUDIENCE,
        "saml2-sp-acs-url": SAML2_AUDIENCE,
        "saml2-token-lifetime-seconds": str(LIFETIME_SECONDS),
        "saml2-attribute-map": {},
        "saml2-sign-assertion": "true",
        "saml2-encrypt-assertion": "false",
        "saml2-encrypt-attributes": "false",
        "saml2-encrypt-nameid": "false",
        "saml2-encryption-algorithm-strength": "0",
        "saml2-keystore-filename": str(site.keys),
        "saml2-keystore-password": STORE_PASSWORD,
        "saml2-signature-key-alias": ALIAS,
        "saml2-signature-key-password": STORE_PASSWORD,
    }


def _install(site: Site, password: str) -> None:
    """What OpenAM's configurator tool posts."""
    agent = secrets.token_hex(16)
    ldap, administration, jmx = site.directory_ports
    form = {
        "acceptLicense": "true",
        "SERVER_URL": f"http://{DOMAIN_HOST}:{site.port}",
        "DEPLOYMENT_URI": CONTEXT,
        "BASE_DIR": site.folder / "openam",
        "COOKIE_DOMAIN": f".{DOMAIN_HOST.partition('.')[2]}",
        "locale": "en_US",
        "PLATFORM_LOCALE": "en_US",
        "AM_ENC_KEY": secrets.token_hex(16),
        "ADMIN_PWD": password,
        "ADMIN_CONFIRM_PWD": password,
        "AMLDAPUSERPASSWD": agent,
        "AMLDAPUSERPASSWD_CONFIRM": agent,
        "DATA_STORE": "embedded",
        "DIRECTORY_SSL": "SIMPLE",
        "DIRECTORY_SERVER": DOMAIN_HOST,
        "DIRECTORY_PORT": ldap,
        "DIRECTORY_ADMIN_PORT": administration,
        "DIRECTORY_JMX_PORT": jmx,
        "ROOT_SUFFIX": SUFFIX,
        "DS_DIRMGRDN": "cn=Directory Manager",
        "DS_DIRMGRPASSWD": password,
    }
    head = {"Content-Type": FORM}
    said = _sent(site, "POST", "/config/configurator", urlencode(form), head).decode()
    if COMPLETE not in said:
        raise PeerFailed(f"OpenAM's configurator said: {said[-SHOWN:]!r}")


def _session(site: Site, user: str, password: str, host: str = DOMAIN_HOST) -> str:
    head = {
        "Host": f"{host}:{site.port}",
        "X-OpenAM-Username": user,
        "X-OpenAM-Password": password,
        "Accept-API-Version": "protocol=1.0,resource=2.0",
    }
    return str(_json(site, "POST", "/json/authenticate", {}, head)["tokenId"])


def _json(
    site: Site, method: str, path: str, document: object | None, head: Mapping[str, str]
) -> Any:
    body = None if document is None else json.dumps(document)
    answer = _sent(site, method, path, body, {"Content-Type": "application/json", **head})
    try:
        return json.loads(answer)
    except ValueError:
        raise PeerFailed(f"OpenAM answered {path} with no JSON: {answer[:SHOWN]!r}") from None


def _sent(site: Site, method: str, path: str, body: str | None, head: Mapping[str, str]) -> bytes:
    """The body of a good answer; raises PeerFailed."""
    connection = HTTPConnection(HOST, site.port, timeout=CONFIGURE_SECONDS)
    named = {"Host": f"{DOMAIN_HOST}:{site.port}", **head}
    try:
        connection.request(method, CONTEXT + path, body, named)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, HTTPException) as error:
        raise PeerFailed(f"OpenAM did not answer {path}: {error}") from None
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise PeerFailed(f"OpenAM answered {path} with {answer.status}: {content[:SHOWN]!r}")
    return content
