"""An Access Management server of the tests' own making: its REST calls, honest unless told not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

COOKIE = "iPlanetDirectoryPro"
CODE = "246810"
PROMPT = "Enter the code that we sent you"
PASSWORDS = {"alice": "alice-password", "carol": "carol-password", "José": "pässwörd"}
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "alice": {"mail": ["alice@am.example"], "cn": ["Alice"], "roles": ["ui-self-service"]},
}
TOKENS = {"an-id-token": "alice", "Y2VydGlmaWNhdGU=": "alice"}
"""Whom the headers of tokens speak for: the second is ``certificate`` in base64."""

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Am:
    """``url`` is the context's; ``calls`` are what came, as method, path and query; ``sessions``
    those that stand. What ``instead`` has for the end of a path is answered in its place."""

    realm: str = "/"
    url: str = ""
    sessions: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    instead: dict[str, Answer] = field(default_factory=dict)
    opened: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.rel_url}")
        self.heads.append(request.headers.copy())
        for end, answer in self.instead.items():
            if end in str(request.rel_url):
                return await answer(request)
        if request.path.endswith("/authenticate"):
            return await self._authenticate(request)
        session = request.cookies.get(COOKIE) or request.headers.get(COOKIE) or ""
        name = self.sessions.get(session)
        if name is None:
            return refused()
        if request.query.get("_action") == "idFromSession":
            return web.json_response({"id": name, "realm": self.realm, "dn": f"id={name}"})
        if request.query.get("_action") == "logout":
            del self.sessions[session]
            return web.json_response({"result": "Successfully logged out"})
        fields = request.query["_fields"].split(",")
        profile = {"_id": name, **PROFILES.get(name, {})}
        return web.json_response({key: profile[key] for key in fields if key in profile})

    async def _authenticate(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "authId" in body:
            return self._answered(body)
        for name in TOKENS.keys() & set(request.headers.values()):
            return self._open(TOKENS[name])
        username = request.headers.get("X-OpenAM-Username")
        if username is None:
            return asked("who", name_callback("IDToken1"), password_callback("IDToken2"))
        return self._checked(username, request.headers["X-OpenAM-Password"])

    def _answered(self, body: Mapping[str, Any]) -> web.Response:
        values = [each["input"][0]["value"] for each in body["callbacks"] if "input" in each]
        if body["authId"] == "who":
            return self._checked(*values)
        return self._open("carol") if values == [CODE] else refused()

    def _checked(self, username: str, password: str) -> web.Response:
        if PASSWORDS.get(username) != password:
            return refused()
        if username == "carol":
            hint = {"type": "TextOutputCallback", "output": [{"name": "message", "value": "x"}]}
            return asked("code", hint, password_callback("IDToken1", PROMPT))
        return self._open(username)

    def _open(self, name: str) -> web.Response:
        self.opened += 1
        session = f"AQIC5wM2LY4SfczT{self.opened}.*AAJTSQACMDE.*"
        self.sessions[session] = name
        return web.json_response(
            {"tokenId": session, "successUrl": "/console", "realm": self.realm}
        )


def refused(status: int = 401, message: str = "Authentication Failed") -> web.Response:
    """A CREST error."""
    body = {"code": status, "reason": "Unauthorized", "message": message}
    return web.json_response(body, status=status)


def asked(auth_id: str, *callbacks: Mapping[str, Any]) -> web.Response:
    return web.json_response({"authId": auth_id, "template": "", "callbacks": list(callbacks)})


def name_callback(id: str, prompt: str = "User Name:") -> dict[str, Any]:
    return _callback("NameCallback", id, prompt)


def password_callback(id: str, prompt: str = "Password:") -> dict[str, Any]:
    return _callback("PasswordCallback", id, prompt)


def _callback(kind: str, id: str, prompt: str) -> dict[str, Any]:
    output = [{"name": "prompt", "value": prompt}]
    return {"type": kind, "output": output, "input": [{"name": id, "value": ""}]}


@asynccontextmanager
async def serving(realm: str = "/", tls: ssl.SSLContext | None = None) -> AsyncIterator[Am]:
    """One on a free port of loopback."""
    am = Am(realm)
    application = web.Application()
    application.router.add_route("*", "/am/{rest:.*}", am.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    am.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/am"
    try:
        yield am
    finally:
        await runner.cleanup()
