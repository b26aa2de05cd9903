"""The whole pipeline without a transport, on memory: from a decoded request to its answer.

Floor: the bare signature, and the bare verification where a JWT comes in. What lies between is
policy, claim, mapping, commit and the making of an audit record. Each request carries another
subject token.
"""

from __future__ import annotations

import asyncio
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from cryptography.hazmat.primitives import serialization

from bench.case import Case, Say
from bench.cases import materials
from bench.floors import signatures
from bench.inprocess import World, opened
from bench.result import Row
from bench.rounds import cpu_micros, cpu_micros_awaited, in_turn
from bench.target import WrongAnswer
from broker.model import (
    OPENAM,
    OPENIDCONNECT,
    SAML2,
    ReceivedToken,
    RequestedToken,
    Requester,
    TokenType,
    TranslationRequest,
)
from broker.ports import Attempt

OIDC = RequestedToken(OPENIDCONNECT, {"nonce": "n-1", "allow_access": True})
BEARER = RequestedToken(SAML2, {"subject_confirmation": "BEARER"})
KINDS: tuple[tuple[TokenType, RequestedToken, str], ...] = (
    (OPENAM, OIDC, "ES256"),
    (OPENAM, OIDC, "RS256"),
    (OPENAM, BEARER, "RS256"),
    (OPENIDCONNECT, OIDC, "ES256"),
    (OPENIDCONNECT, OIDC, "RS256"),
)
MEMBER = {OPENAM: "session_id", OPENIDCONNECT: "oidc_id_token"}
SIGNED = b"x" * 500
"""About what the signature of a token covers."""


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 5
    tokens: int = 300


@dataclass(slots=True)
class _Bench:
    """Requests to one instance, of one kind, each subject token once."""

    world: World
    instance: str
    given: TokenType
    wanted: RequestedToken
    subjects: Iterator[str]

    async def translate(self, _: int) -> None:
        subject = next(self.subjects)
        shown: Mapping[str, Any] = {MEMBER[self.given]: subject}
        request = TranslationRequest(
            instance=self.instance,
            subject_token=ReceivedToken(self.given, shown, subject.encode()),
            requested_token=self.wanted,
            requester=Requester("http"),
        )
        parts = self.world.broker.components
        attempt = Attempt("translate", "http", parts.clock.now())
        answer = await parts.pipeline.translate(attempt, lambda: request)
        if answer.status != 200:
            raise WrongAnswer(f"the pipeline gave {answer.status}")


def rows(options: Options, say: Say) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="remint-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        world = runner.run(opened(Path(folder)))
        for given, wanted, algorithm in KINDS:
            label = f"{given} to {wanted.type} {algorithm}"
            say(label)
            number = (options.rounds + 1) * options.tokens
            bench = runner.run(_made(world, given, wanted, algorithm, number))
            ours, floor = in_turn(
                [
                    _translations(runner, bench, options.tokens),
                    _bare(world, given, algorithm, options.tokens),
                ],
                options.rounds,
            )
            facts = {
                "algorithm": algorithm,
                "operation": "translate",
                "input": str(given),
                "output": str(wanted.type),
                "store": "memory",
            }
            yield Row(label, "µs", tuple(ours), tuple(floor), None, facts)
        runner.run(world.broker.close())


async def _made(
    world: World, given: TokenType, wanted: RequestedToken, algorithm: str, number: int
) -> _Bench:
    place = materials.instance(algorithm, f"bench-{algorithm.lower()}")
    await world.publish(place)
    subjects = await world.sessions(number) if given == OPENAM else world.issuer.tokens(number)
    return _Bench(world, place.id, given, wanted, iter(list(subjects)))


def _translations(runner: asyncio.Runner, bench: _Bench, number: int) -> Callable[[], float]:
    return lambda: runner.run(cpu_micros_awaited(bench.translate, number))


def _bare(world: World, given: TokenType, algorithm: str, number: int) -> Callable[[], float]:
    """The signatures, and as many verifications of another JWT each where one comes in."""
    sign, _ = signatures.calls(algorithm, signatures.key(algorithm))
    if given == OPENAM:
        return lambda: cpu_micros(lambda _: sign(SIGNED), number)
    private: Any = serialization.load_pem_private_key(world.issuer.key.pem, None)
    _, verify = signatures.calls("RS256", private)
    parts = [token.encode().rpartition(b".") for token in world.issuer.tokens(number)]
    shown = [(urlsafe_b64decode(signature + b"=="), data) for data, _, signature in parts]

    def both(at: int) -> None:
        verify(*shown[at])
        sign(SIGNED)

    return lambda: cpu_micros(both, number)


CASE = Case(
    name="pipeline",
    title="the pipeline without a transport, memory store: CPU, µs a token",
    formula="the bare signature (+ RS256 verification where a JWT comes in)",
    quick=Options(),
    full=Options(rounds=15, tokens=2000),
    rows=rows,
)
