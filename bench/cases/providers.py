"""Each token provider alone, on an order that is ready: from the claims to the finished token.

Floor: the bare signature of the bytes that the provider hands to its signer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import uvloop

from bench.case import Case, Say
from bench.cases import materials
from bench.result import Row
from bench.rounds import cpu_micros, cpu_micros_awaited, in_turn
from broker.model import OPENIDCONNECT, SAML2, RequestedToken
from broker.ports import Signer, TokenProvider
from handlers.jwt.provider import OidcProvider
from handlers.opaque.provider import OPAQUE, OpaqueProvider
from handlers.saml2.provider import Saml2Provider

OIDC = RequestedToken(OPENIDCONNECT, {"nonce": "n-1", "allow_access": True})
BEARER = RequestedToken(SAML2, {"subject_confirmation": "BEARER"})

KINDS: tuple[tuple[str, TokenProvider, RequestedToken, str, float | None], ...] = (
    ("OPENIDCONNECT", OidcProvider(), OIDC, "RS256", None),
    ("OPENIDCONNECT", OidcProvider(), OIDC, "ES256", 1.45),
    ("OPENIDCONNECT", OidcProvider(), OIDC, "HS256", None),
    ("SAML2", Saml2Provider(), BEARER, "RS256", 1.10),
    ("SAML2", Saml2Provider(), BEARER, "ES256", None),
)
"""Name, provider, what is asked of it, algorithm, and the ratio to be reached."""


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 9
    tokens: int = 300


@dataclass(slots=True)
class _Listening:
    """A signer that keeps what it was given last."""

    signer: Signer
    data: bytes = b""

    @property
    def kid(self) -> str:
        return self.signer.kid

    @property
    def algorithm(self) -> str:
        return self.signer.algorithm

    @property
    def certificate(self) -> bytes | None:
        return self.signer.certificate

    @property
    def public_jwk(self) -> Mapping[str, str] | None:
        return self.signer.public_jwk

    async def sign(self, data: bytes) -> bytes:
        self.data = data
        return await self.signer.sign(data)


def rows(options: Options, say: Say) -> Iterator[Row]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, provider, asked, algorithm, target in KINDS:
            say(f"{name} {algorithm}")
            yield _signed(runner, options, name, provider, asked, algorithm, target)
        say("OPAQUE")
        yield _opaque(runner, options)


def _signed(
    runner: asyncio.Runner,
    options: Options,
    name: str,
    provider: TokenProvider,
    asked: RequestedToken,
    algorithm: str,
    target: float | None,
) -> Row:
    key, place = materials.a_key(algorithm), materials.instance(algorithm)
    order = materials.order(provider, place, provider.parse(asked, place), key)
    listening = _Listening(key.signer)
    runner.run(provider.issue(replace(order, signer=listening)))

    def ours() -> float:
        return runner.run(cpu_micros_awaited(lambda _: provider.issue(order), options.tokens))

    def bare() -> float:
        return cpu_micros(lambda _: key.sign(listening.data), options.tokens)

    issued, floor = in_turn([ours, bare], options.rounds)
    facts = {"algorithm": algorithm, "output": name}
    return Row(f"{name} {algorithm}", "µs", tuple(issued), tuple(floor), target, facts)


def _opaque(runner: asyncio.Runner, options: Options) -> Row:
    provider, key = OpaqueProvider(), materials.a_key("HS256")
    place = materials.instance("ES256")
    order = replace(materials.order(provider, place, None, key), signer=None)
    (issued,) = in_turn(
        [lambda: runner.run(cpu_micros_awaited(lambda _: provider.issue(order), options.tokens))],
        options.rounds,
    )
    return Row("OPAQUE, unsigned", "µs", tuple(issued), facts={"output": str(OPAQUE)})


CASE = Case(
    name="providers",
    title="each token provider alone: CPU, µs a token",
    formula="the bare signature of the same bytes; an OPAQUE token has none",
    quick=Options(),
    full=Options(rounds=25, tokens=1000),
    rows=rows,
)
