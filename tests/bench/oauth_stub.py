"""A small token endpoint: exchanges what it can verify, and tells of what it issued."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web

from bench.target.keys import MintKey

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ISSUER = "https://as.example.com"
SECRET = "a secret: with + signs"
CLIENT = "bench client"


@dataclass
class Stub:
    """What it does can be set while it runs; ``seen`` holds every form."""

    url: str = ""
    key: MintKey = field(default_factory=lambda: MintKey.generated("ES256"))
    trusted: MintKey | None = None
    opaque: bool = False
    active: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    seen: list[dict[str, str]] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.seen.append(form)
        if not _authenticated(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        subject = CLIENT
        if form["grant_type"] == EXCHANGE and self.trusted is not None:
            shown = jwt.decode(
                form["subject_token"],
                jwt.PyJWK(self.trusted.public_jwk()),
                algorithms=[self.trusted.algorithm],
                audience="as",
            )
            subject = shown["sub"]
        return web.json_response(
            {"access_token": self._issued(subject, form), "token_type": "Bearer", "expires_in": 60}
            | ({"issued_token_type": _issued_type(form)} if form["grant_type"] == EXCHANGE else {})
            | self.extra
        )

    async def introspect(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not _authenticated(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"active": self.active and form["token"] in self.known})

    async def metadata(self, request: web.Request) -> web.Response:
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{self.url}/deep/keys"})

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.public_jwk()]})

    def _issued(self, subject: str, form: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "aud": form.get("audience", ISSUER),
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(16),
        }
        token = (
            secrets.token_urlsafe(32)
            if self.opaque
            else jwt.encode(claims, self.key.pem, self.key.algorithm, headers={"kid": self.key.kid})
        )
        self.known.add(token)
        return token


def _authenticated(request: web.Request, form: dict[str, str]) -> bool:
    """RFC 6749, section 2.3.1: the pair is form-encoded before it is put into the header."""
    given = request.headers.get("Authorization", "")
    if given.startswith("Basic "):
        return b64decode(given[6:]).decode() == "bench+client:a+secret%3A+with+%2B+signs"
    return (form.get("client_id"), form.get("client_secret", SECRET)) == (CLIENT, SECRET)


def _issued_type(form: dict[str, str]) -> str:
    return form.get("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")


@contextlib.asynccontextmanager
async def running(stub: Stub, tls: ssl.SSLContext | None = None) -> AsyncIterator[Stub]:
    """On a free port of loopback; its metadata stand below ``/realm``, its endpoints deeper."""
    application = web.Application()
    application.router.add_post("/realm/protocol/token", stub.token)
    application.router.add_post("/realm/protocol/introspect", stub.introspect)
    application.router.add_get("/realm/.well-known/openid-configuration", stub.metadata)
    application.router.add_get("/deep/keys", stub.keys)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stub
    finally:
        await runner.cleanup()
