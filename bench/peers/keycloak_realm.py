"""The realm that Keycloak is measured with, as its admin REST API takes it."""

from __future__ import annotations

from typing import Any

from bench.peers.loopback import Loopback, basic
from bench.peers.subjects import SubjectTokens, new_rsa_key
from bench.target.judging import unverified_claims, unverified_header

REALM = "bench"
ADMINISTRATOR = "admin"
PASSWORD = "bench-password"  # noqa: S105  # of a server that lives as long as the run
SECRET = "bench-secret-of-32-characters-00"  # noqa: S105  # the same
CLIENTS = {"RS256": "bench-rs256", "ES256": "bench-es256"}
AUDIENCE = "https://api.example.com"
USERS = 100
LIFETIME_SECONDS = 86400
KEY_PRIORITY = "200"
ADMIN_PATH = "/admin/realms"
TOKEN_PATH = f"/realms/{REALM}/protocol/openid-connect/token"
ADMIN_TOKEN_PATH = "/realms/master/protocol/openid-connect/token"  # noqa: S105  # a path


def set_up(server: Loopback) -> tuple[SubjectTokens, dict[str, str]]:
    """Make the realm; subject tokens of it, one subject per user, and ``sub`` by user name.

    Token exchange takes the realm's own access tokens alone and looks their session up. So every
    user logs in once, and the key is one that we know: what a token of that session says is then
    signed anew as often as needed, each time with an id of its own. Raises PeerFailed.
    """
    key = new_rsa_key()
    form = {"grant_type": "password", "username": ADMINISTRATOR, "password": PASSWORD}
    found = server.post_form(ADMIN_TOKEN_PATH, {"client_id": "admin-cli", **form}, {})
    head = {"Authorization": f"Bearer {found['access_token']}"}
    server.post_json(ADMIN_PATH, _realm(key), head)
    tokens = [_logged_in(server, name) for name in _names()]
    claims = tuple(_subject_claims(token) for token in tokens)
    key_id = unverified_header(tokens[0])["kid"]
    subjects = {name: str(said["sub"]) for name, said in zip(_names(), claims, strict=True)}
    return SubjectTokens(key=key, key_id=key_id, claims=claims), subjects


def _names() -> list[str]:
    return [f"user-{number}" for number in range(USERS)]


def _logged_in(server: Loopback, name: str) -> str:
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    head = {"Authorization": basic(CLIENTS["RS256"], SECRET)}
    return str(server.post_form(TOKEN_PATH, form, head)["access_token"])


def _subject_claims(token: str) -> dict[str, Any]:
    """Of a token of this session, for both clients; SubjectTokens adds what differs."""
    said = {
        name: value
        for name, value in unverified_claims(token).items()
        if name not in ("jti", "iat")
    }
    return {**said, "aud": list(CLIENTS.values())}


def _realm(key: str) -> dict[str, Any]:
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": LIFETIME_SECONDS,
        "ssoSessionIdleTimeout": LIFETIME_SECONDS,
        "ssoSessionMaxLifespan": LIFETIME_SECONDS,
        "components": {"org.keycloak.keys.KeyProvider": [_rsa_key(key), _ec_key()]},
        "clients": [_client(name, algorithm) for algorithm, name in CLIENTS.items()],
        "users": [_user(name) for name in _names()],
    }


def _rsa_key(key: str) -> dict[str, Any]:
    config = {"privateKey": [key], "algorithm": ["RS256"], "priority": [KEY_PRIORITY]}
    return {"name": "rs256", "providerId": "rsa", "config": config}


def _ec_key() -> dict[str, Any]:
    config = {"ecdsaEllipticCurveKey": ["P-256"], "priority": [KEY_PRIORITY]}
    return {"name": "es256", "providerId": "ecdsa-generated", "config": config}


def _client(name: str, algorithm: str) -> dict[str, Any]:
    """Without roles, profile and e-mail in its tokens: as few claims as the others issue."""
    return {
        "clientId": name,
        "secret": SECRET,
        "publicClient": False,
        "standardFlowEnabled": False,
        "serviceAccountsEnabled": True,
        "directAccessGrantsEnabled": True,
        "fullScopeAllowed": False,
        "attributes": {
            "standard.token.exchange.enabled": "true",
            "access.token.signed.response.alg": algorithm,
        },
        "defaultClientScopes": ["basic"],
        "optionalClientScopes": [],
        "protocolMappers": [_audience_mapper()],
    }


def _audience_mapper() -> dict[str, Any]:
    return {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true"},
    }


def _user(name: str) -> dict[str, Any]:
    """With all that Keycloak wants to know before it lets a user in."""
    return {
        "username": name,
        "enabled": True,
        "emailVerified": True,
        "email": f"{name}@example.com",
        "firstName": "Bench",
        "lastName": name,
        "credentials": [{"type": "password", "value": PASSWORD}],
    }
