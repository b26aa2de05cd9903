"""A broker behind its real front door, in the test's own event loop, on a free port."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp

from adapters import bootstrap
from adapters.directories.local import HashCost, Passwords
from adapters.http.app import FrontDoor
from adapters.http.listening import Listening
from adapters.keys import private_keys
from adapters.keys.private_keys import PrivateKey
from adapters.running import Broker
from adapters.settings import Settings
from adapters.stores import Stores
from broker.instance import Instance, OidcOptions, Saml2Options, SigningKey, Transform
from broker.model import (
    OPENAM,
    OPENIDCONNECT,
    SAML2,
    USERNAME,
    Secret,
    TokenRecord,
    TokenType,
    User,
)
from broker.ports import Clock, TokenQuery
from tests.support.planted import ADMIN_PASSWORD, CLIENT_SECRET, USER_PASSWORD, Planted

CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)
ISSUER = "https://sts.example.com"
AUDIENCE = "https://sp.example.com"
ELEMENT = "username-transformer"
HEADER = "iPlanetDirectoryPro"
REALM = "/fred/bobo"
DRAIN_SECONDS = 0.5  # how long a stop waits for what is still open


class FrozenClock:
    """A clock that stands still until the test moves it. ``at`` is seconds since the epoch."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    body: Any
    headers: Mapping[str, str]
    text: str


@dataclass
class Door:
    """A client of the broker under test that keeps what it was told."""

    broker: Broker
    url: str
    http: aiohttp.ClientSession
    planted: Planted
    refusals: list[str] = field(default_factory=list)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        head = {"Content-Type": "application/json", **(headers or {})}
        data = json.dumps(body).encode() if body is not None else data
        async with self.http.request(method, self.url + path, data=data, headers=head) as got:
            text = await got.text()
            answer = Answer(got.status, json.loads(text) if text else None, got.headers, text)
        self._note(answer)
        return answer

    async def translate(
        self,
        given: Mapping[str, Any],
        wanted: Mapping[str, Any],
        *,
        instance: str = ELEMENT,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body = {"input_token_state": given, "output_token_state": wanted}
        path = f"/rest-sts/{instance}?_action=translate"
        return await self.request("POST", path, body=body, headers=headers)

    async def validate(self, state: Mapping[str, Any], *, instance: str = ELEMENT) -> Answer:
        body = {"validated_token_state": state}
        return await self.request("POST", f"/rest-sts/{instance}?_action=validate", body=body)

    async def cancel(self, state: Mapping[str, Any], *, instance: str = ELEMENT) -> Answer:
        body = {"cancelled_token_state": state}
        return await self.request("POST", f"/rest-sts/{instance}?_action=cancel", body=body)

    async def login(
        self, name: str = "demo", password: str = USER_PASSWORD, realm: str = ""
    ) -> str:
        head = {"X-OpenAM-Username": name, "X-OpenAM-Password": password}
        answer = await self.request("POST", f"/json{realm}/authenticate", headers=head)
        assert answer.status == 200, answer.text
        return str(answer.body["tokenId"])

    async def admin(self) -> dict[str, str]:
        """The head of an administrator's request."""
        return {HEADER: await self.login("admin", ADMIN_PASSWORD)}

    async def realm_admin(self, realm: str = REALM) -> dict[str, str]:
        """The head of a request by ``ada``, who administers a sub realm alone."""
        await self.add_user("ada", realm, {"roles": ("admin",)})
        return {HEADER: await self.login("ada", realm=realm)}

    async def add_user(
        self,
        name: str,
        realm: str = "/",
        attributes: Mapping[str, tuple[str, ...]] | None = None,
        *,
        active: bool = True,
        password: str = USER_PASSWORD,
    ) -> None:
        """A user, unless otherwise said with the password of ``demo``."""
        parts = self.broker.components
        stored = await parts.passwords.hashed(Secret(password))
        await parts.users.put(User(name, realm, stored, attributes or {}, active))

    async def publish(self, *instances: Instance) -> None:
        for instance in instances:
            await self.broker.components.instances.load(instance)

    async def tokens(self) -> list[TokenRecord]:
        """Every record in the token store."""
        return await self.broker.stores.tokens.query(TokenQuery())

    def audit(self) -> list[dict[str, Any]]:
        path = self.broker.components.settings.state_dir / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def _note(self, answer: Answer) -> None:
        if answer.status >= 400:
            self.refusals.append(answer.text)
        elif isinstance(answer.body, dict):
            for member in ("issued_token", "tokenId"):
                if member in answer.body:
                    self.planted.note(answer.body[member])


def user_input(password: str = USER_PASSWORD, name: str = "demo") -> dict[str, Any]:
    return {"token_type": USERNAME, "username": name, "password": password}


def session_input(session: str) -> dict[str, Any]:
    return {"token_type": OPENAM, "session_id": session}


ID_TOKEN = {"token_type": OPENIDCONNECT, "nonce": "n-1", "allow_access": True}
ASSERTION = {"token_type": SAML2, "subject_confirmation": "BEARER"}


def an_instance(
    element: str = ELEMENT,
    *,
    realm: str = "/",
    oidc: str = "RS256",
    saml2: str | None = "RS256",
    persist: bool = True,
    transforms: tuple[Transform, ...] | None = None,
    attribute_map: Mapping[str, str] | None = None,
) -> Instance:
    pairs = tuple(Transform(i, o) for i in (USERNAME, OPENAM) for o in (SAML2, OPENIDCONNECT))
    secret = Secret(CLIENT_SECRET) if oidc.startswith("HS") else None
    return Instance(
        realm=realm,
        url_element=element,
        transforms=pairs if transforms is None else transforms,
        saml2=Saml2Options(
            issuer=ISSUER,
            audience=AUDIENCE,
            recipient=f"{AUDIENCE}/acs",
            attribute_map={"mail": "mail"} if attribute_map is None else attribute_map,
            signing_key=SigningKey(saml2) if saml2 else None,
        ),
        oidc=OidcOptions(
            issuer=ISSUER,
            audience=("client",),
            claim_map={"email": "mail"},
            signing_key=SigningKey(oidc, secret=secret),
        ),
        persist_issued_tokens=persist,
    )


def pair(given: str, wanted: str, *, end_session: bool = False) -> Transform:
    return Transform(TokenType(given), TokenType(wanted), end_session)


def settings(state: Path, **overrides: Any) -> Settings:
    sections = {"realms": [REALM], "admin": {"password": ADMIN_PASSWORD}, **overrides}
    return Settings(state_dir=state, **sections)


_generated = private_keys.generated


@functools.cache
def _key(algorithm: str, number: int) -> PrivateKey:
    return _generated(algorithm)


def kept_keys() -> Callable[[str], PrivateKey]:
    """In the place of ``private_keys.generated``: RSA keys take longer to make than most tests, so
    each broker is given the same ones as the broker before it."""
    numbers: Mapping[str, Iterator[int]] = defaultdict(itertools.count)
    return lambda algorithm: _key(algorithm, next(numbers[algorithm]))


@contextlib.asynccontextmanager
async def opened(
    state: Path,
    planted: Planted,
    *,
    clock: Clock | None = None,
    stores: Stores | None = None,
    **overrides: Any,
) -> AsyncIterator[Door]:
    """A broker on the state folder, with the user ``demo`` and the instance of ``an_instance``."""
    passwords = Passwords(cost=CHEAP)
    configured = settings(state, **overrides)
    with patch.object(private_keys, "generated", kept_keys()):
        broker = await bootstrap.build(
            configured, url=ISSUER, passwords=passwords, clock=clock, stores=stores
        )
    parts = broker.components
    for realm in parts.settings.all_realms:
        user_hash = await passwords.hashed(Secret(USER_PASSWORD))
        await parts.users.put(
            User("demo", realm, user_hash, {"mail": ("demo@example.com",), "cn": ("Démo <1>",)})
        )
    await parts.instances.load(an_instance())
    broker.start()
    listening = Listening(
        FrontDoor(parts, broker).application(),
        max_connections=configured.http.max_connections,
        drain_seconds=DRAIN_SECONDS,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    await listening.start(listener)
    port = listener.getsockname()[1]
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Door(broker, f"http://127.0.0.1:{port}", http, planted)
    finally:
        await listening.stop()
        await broker.close()
