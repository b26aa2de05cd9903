"""``make demo``: a user, an instance, and one translation of each kind, shown and repeatable."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp

from adapters import demo_issuer
from adapters.components import Components
from adapters.directories.local import Passwords
from adapters.settings import Settings
from broker.instance import Instance, OidcOptions, Saml2Options, SigningKey, Transform
from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509, Secret, User

USER = "demo"
PASSWORD = "Ch4ng31t"  # noqa: S105  # the demo's well-known password, and its user has no rights
MAIL = "demo@example.com"
INSTANCE = "username-transformer"
SERVICE_PROVIDER = "https://sp.example.com"
READY_SECONDS = 20
MAX_SHOWN_TEXT = 100


def settings(given: Settings) -> Settings:
    """The demo lets anybody who can publish to its queues translate, and with readable bodies."""
    open_to_all = {"allow_anonymous": True, "require_encrypted_credentials": False}
    return given.model_copy(
        update={
            "amqp": given.amqp.model_copy(update=open_to_all),
            "mqtt": given.mqtt.model_copy(update=open_to_all),
        }
    )


async def seed(components: Components) -> None:
    """The user ``demo``, an issuer that is trusted and the instance ``username-transformer``, where
    missing or different."""
    user = await components.users.get("/", USER)
    fits = user is not None and await components.passwords.matches(
        user.password_hash, Secret(PASSWORD)
    )
    if not fits:  # a new hash would end the sessions of an earlier run
        await components.users.put(await _user(components.passwords))
    await demo_issuer.trust(components)
    await components.instances.load(instance(components.url))


async def _user(passwords: Passwords) -> User:
    return User(
        name=USER,
        realm="/",
        password_hash=await passwords.hashed(Secret(PASSWORD)),
        attributes={"mail": (MAIL,), "cn": ("Demo User",)},
    )


def instance(issuer: str) -> Instance:
    return Instance(
        realm="/",
        url_element=INSTANCE,
        transforms=tuple(
            Transform(given, wanted)
            for given in (USERNAME, OPENAM, OPENIDCONNECT, X509)
            for wanted in (SAML2, OPENIDCONNECT)
        ),
        saml2=Saml2Options(
            issuer=issuer,
            audience=SERVICE_PROVIDER,
            recipient=f"{SERVICE_PROVIDER}/acs",
            attribute_map={"mail": "mail"},
            signing_key=SigningKey("RS256"),
        ),
        oidc=OidcOptions(
            issuer=issuer,
            audience=("demo-client",),
            claim_map={"email": "mail", "name": "cn"},
            signing_key=SigningKey("RS256"),
        ),
        persist_issued_tokens=True,
    )


class DemoFailed(Exception):
    """The demo could not show a translation."""


class Demo:
    """The client's side. ``show`` is True when the broker may stop: all was shown, just once."""

    def __init__(self, settings: Settings, *, once: bool) -> None:
        self._settings = settings
        self._once = once

    async def show(self, url: str) -> bool:
        base = _reachable(url)
        connector = aiohttp.TCPConnector(ssl=_trusting(self._settings.http.tls_certificate))
        async with aiohttp.ClientSession(base, connector=connector) as http:
            await self._until_ready(http)
            session, shown = await self._login(http), 0
            audience = self._settings.http.public_url.rstrip("/") or url
            id_token = demo_issuer.id_token(self._settings.state_dir, audience)
            for given in (
                {"token_type": USERNAME, "username": USER, "password": PASSWORD},
                {"token_type": OPENAM, "session_id": session},
                {"token_type": OPENIDCONNECT, "oidc_id_token": id_token},
            ):
                for wanted in (
                    {"token_type": OPENIDCONNECT, "nonce": "n-1", "allow_access": True},
                    {"token_type": SAML2, "subject_confirmation": "BEARER"},
                ):
                    await self._translate(http, base, given, wanted)
                    shown += 1
        print(
            f"{shown} translations worked. Assertions are shown indented, long values cut; each "
            "curl above gets such a token whole.",
            flush=True,
        )
        if not self._once:
            print(
                f"Serving at {base}. Keys: {base}/oauth2/jwks. {self._administrator()} "
                f"The user {USER} and the trusted issuer {demo_issuer.NAME} stay in "
                f"{self._settings.state_dir}. Stop with Ctrl-C.",
                flush=True,
            )
        return self._once

    def _administrator(self) -> str:
        if self._settings.admin.password is not None:
            return "The administrator is admin, with the password from the settings."
        path = self._settings.state_dir / "admin-password"
        return f"The administrator is admin, the password in {path}."

    async def _until_ready(self, http: aiohttp.ClientSession) -> None:
        until = time.monotonic() + READY_SECONDS
        place = _reachable(self._settings.http.management_url)
        while True:
            try:
                async with http.get(place + "/readyz") as response:
                    if response.status == 200:
                        return
                    said = await response.text()
            except aiohttp.ClientConnectionError as error:
                said = str(error)
            if time.monotonic() > until:
                raise DemoFailed(f"the broker is not ready: {said}")
            await asyncio.sleep(0.1)

    async def _login(self, http: aiohttp.ClientSession) -> str:
        head = {"X-OpenAM-Username": USER, "X-OpenAM-Password": PASSWORD}
        answer = await _answer(await http.post("/json/authenticate", headers=head))
        return str(answer["tokenId"])

    async def _translate(
        self, http: aiohttp.ClientSession, base: str, given: dict[str, Any], wanted: dict[str, Any]
    ) -> None:
        path = f"/rest-sts/{INSTANCE}?_action=translate"
        body = {"input_token_state": given, "output_token_state": wanted}
        answer = await _answer(await http.post(path, json=body))
        print(f"── {given['token_type']} → {wanted['token_type']} " + "─" * 50)
        print(_curl(base + path, body))
        print()
        print(_decoded(wanted["token_type"], answer["issued_token"]))
        print(flush=True)


def _reachable(url: str) -> str:
    """The listening URL with loopback in place of "every address"."""
    return url.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")


def _trusting(certificate: Path | None) -> ssl.SSLContext | bool:
    """Trusts the broker's own certificate, whatever name it carries: we know whom we started."""
    if certificate is None:
        return True
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    return context


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    answer: dict[str, Any] = await response.json()
    if response.status != 200:
        raise DemoFailed(f"{response.status} {answer.get('message')}")
    return answer


def _curl(url: str, body: dict[str, Any]) -> str:
    return (
        f"curl --request POST --header 'Content-Type: application/json' \\\n"
        f"  --data '{json.dumps(body)}' \\\n"
        f"  '{url}'"
    )


def _decoded(token_type: str, token: str) -> str:
    if token_type == OPENIDCONNECT:
        header, payload = (json.loads(_unpadded(part)) for part in token.split(".")[:2])
        return json.dumps(header) + "\n" + json.dumps(payload, indent=2)
    return _indented(token)


def _indented(assertion: str) -> str:
    """Each element on its own line, deeper ones further in, long values cut; for eyes alone."""
    lines: list[str] = []
    depth = 0
    for closing, tag, text in re.findall(r"<(/?)([^>]+)>([^<]*)", assertion):
        if not closing:
            shown = text if len(text) <= MAX_SHOWN_TEXT else text[:MAX_SHOWN_TEXT] + "…"
            lines.append("  " * depth + f"<{tag}>{shown}")
            depth += 1
            continue
        depth -= 1
        if lines[-1].startswith("  " * depth + f"<{tag}"):
            lines[-1] += f"</{tag}>"
        else:
            lines.append("  " * depth + f"</{tag}>")
    return "\n".join(lines)


def _unpadded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
