"""Each token validator alone, from the members that came in to the principal.

Floor: what lies beneath it bare, such as one argon2id verification or one of RS256; a validator
that only looks something up in memory stands alone. Each call sees another subject token.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from cryptography.hazmat.primitives import serialization

from adapters.directories.local import HashCost
from bench.case import Case, Say
from bench.cases import materials
from bench.floors import password_hash, signatures
from bench.inprocess import LIFETIME_SECONDS, World, opened
from bench.result import Row
from bench.rounds import cpu_micros, cpu_micros_awaited, in_turn
from broker.model import OPENAM, OPENIDCONNECT, USERNAME, ReceivedToken, Secret, TokenType, User
from broker.ports import TokenValidator
from broker.testing import a_claim, a_record, a_user, an_answer
from handlers.opaque.provider import OPAQUE, named
from handlers.username.validator import UsernameValidator

NAME, PASSWORD = "alice", "correct horse battery staple"
HASHES_SHARE = 50
"""A password hash is verified where so many other tokens are: it takes that much longer."""


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 5
    tokens: int = 1000


@dataclass(frozen=True, slots=True)
class _NoHash:
    """An Authenticator that asks nobody, to show what is left without the hash."""

    user: User

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        return self.user


@dataclass(frozen=True, slots=True)
class _Bench:
    runner: asyncio.Runner
    world: World
    options: Options

    def row(
        self,
        label: str,
        validator: TokenValidator,
        tokens: Sequence[ReceivedToken],
        bare: Callable[[], float] | None = None,
    ) -> Row:
        """Rounds of all the tokens, parsed and validated; and of the floor, if there is one."""
        place, now = materials.instance("ES256"), time.time()

        async def one(number: int) -> None:
            await validator.validate(validator.parse(tokens[number]), place, now)

        def ours() -> float:
            return self.runner.run(cpu_micros_awaited(one, len(tokens)))

        found, *floor = in_turn([ours, bare] if bare else [ours], self.options.rounds)
        facts = {"input": str(validator.token_type)}
        return Row(label, "µs", tuple(found), tuple(floor[0]) if floor else (), facts=facts)

    def validator(self, token_type: TokenType) -> TokenValidator:
        """The broker's own."""
        return self.world.broker.components.pipeline.registry.validator(token_type)


def rows(options: Options, say: Say) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="remint-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        world = runner.run(opened(Path(folder)))
        bench = _Bench(runner, world, options)
        for measured in (_hashed, _unhashed, _session, _id_token, _opaque):
            say(measured.__name__.strip("_"))
            yield measured(bench)
        runner.run(world.broker.close())


def _hashed(bench: _Bench) -> Row:
    broker, cost = bench.world.broker, HashCost()
    hashed = broker.components.passwords.hash(Secret(PASSWORD))
    bench.runner.run(broker.stores.users.put(a_user(password_hash=hashed)))
    number = max(1, bench.options.tokens // HASHES_SHARE)
    bare = password_hash.check(cost.memory_kib, cost.passes, cost.lanes, PASSWORD)
    label = f"USERNAME, argon2id of {cost.memory_kib // 1024} MiB, {cost.passes} passes"
    return bench.row(
        label,
        bench.validator(USERNAME),
        [_password()] * number,
        lambda: cpu_micros(lambda _: bare(), number),
    )


def _unhashed(bench: _Bench) -> Row:
    tokens = [_password()] * bench.options.tokens
    validator = UsernameValidator(_NoHash(a_user()))
    return bench.row("USERNAME, without the hash", validator, tokens)


def _session(bench: _Bench) -> Row:
    names = bench.runner.run(bench.world.sessions(bench.options.tokens))
    tokens = [ReceivedToken(OPENAM, {"session_id": name}) for name in names]
    return bench.row("OPENAM, memory store", bench.validator(OPENAM), tokens)


def _id_token(bench: _Bench) -> Row:
    texts = list(bench.world.issuer.tokens(bench.options.tokens))
    tokens = [ReceivedToken(OPENIDCONNECT, {"oidc_id_token": text}) for text in texts]
    private: Any = serialization.load_pem_private_key(bench.world.issuer.key.pem, None)
    _, verify = signatures.calls("RS256", private)
    parts = [_signed(text) for text in texts]
    return bench.row(
        "OPENIDCONNECT, RS256, 2048 bit",
        bench.validator(OPENIDCONNECT),
        tokens,
        lambda: cpu_micros(lambda at: verify(*parts[at]), len(parts)),
    )


def _signed(token: str) -> tuple[bytes, bytes]:
    """The signature of a JWT, and what it covers."""
    data, _, signature = token.encode().rpartition(b".")
    return urlsafe_b64decode(signature + b"=="), data


def _opaque(bench: _Bench) -> Row:
    texts = [secrets.token_urlsafe(32) for _ in range(bench.options.tokens)]
    bench.runner.run(_with_records(bench.world, texts))
    tokens = [ReceivedToken(OPAQUE, {"opaque_token": text}) for text in texts]
    return bench.row("OPAQUE, memory store", bench.validator(OPAQUE), tokens)


async def _with_records(world: World, texts: list[str]) -> None:
    stores, now = world.broker.stores, int(time.time())
    await stores.users.put(a_user())
    for text in texts:
        name = named(text)
        record = a_record(
            token_id=name.alias,
            alias=name.alias,
            digest=name.digest,
            type=OPAQUE,
            issued_at=now,
            expires_at=now + LIFETIME_SECONDS,
        )
        claim = a_claim(token_id=name.alias, scope=None, request_id=None)
        await stores.ledger.commit(claim, record, an_answer(), record.expires_at)


def _password() -> ReceivedToken:
    return ReceivedToken(USERNAME, {"username": NAME, "password": PASSWORD})


CASE = Case(
    name="validators",
    title="each token validator alone: CPU, µs a token",
    formula="what lies beneath bare: one argon2id or RS256 verification; look-ups stand alone",
    quick=Options(),
    full=Options(rounds=15, tokens=5000),
    rows=rows,
)
