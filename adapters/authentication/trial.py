"""One login, tried step by step, with what each module said and how long it took."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from adapters.authentication.principals.wrapping import ResolvedTarget
from adapters.authentication.throttling import Throttled
from broker.authentication import (
    Authentication,
    AuthModule,
    Evidence,
    Identity,
    MoreNeeded,
    Progress,
    Prompt,
)
from broker.chains import Alone, Chain, Link
from broker.errors import AuthenticationFailed, RemintError, Unavailable
from broker.model import Secret

MAX_ROUNDS = 10
"""How often a chain may ask back in one trial."""

Answering = Callable[[tuple[Prompt, ...]], Awaitable[Mapping[str, Secret]]]


@dataclass(frozen=True, slots=True)
class Step:
    """What one module said. ``seconds`` is the time it took, ``reason`` why it did not pass,
    or what it did instead."""

    module: str
    verdict: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """How it ended: an identity, or the error in its place."""

    steps: tuple[Step, ...]
    identity: Identity | None = None
    error: RemintError | None = None


class _Watched:
    """Notes what a module says, and says the same."""

    def __init__(self, inner: AuthModule, steps: list[Step]) -> None:
        self._inner = inner
        self._steps = steps

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def headers(self) -> frozenset[str]:
        return self._inner.headers

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        started = time.perf_counter()
        try:
            found = await self._inner.authenticate(evidence, known)
        except RemintError as error:
            self._note(_verdict(error), started, error.detail or error.sentence)
            raise
        self._note("passed", started, found.note)
        return found

    def _note(self, verdict: str, started: float, reason: str = "") -> None:
        seconds = time.perf_counter() - started
        self._steps.append(Step(self.name, verdict, seconds, reason))

    async def close(self) -> None:
        return None


def _verdict(error: RemintError) -> str:
    if isinstance(error, MoreNeeded):
        return "asks back"
    return "down" if isinstance(error, Unavailable) else "failed"


def links_of(target: Authentication) -> tuple[tuple[str, str], ...]:
    """The modules of a chain, or a module alone, each with its flag."""
    if isinstance(target, ResolvedTarget | Throttled):
        return links_of(target.inner)
    if isinstance(target, Chain):
        return tuple((link.module.name, link.flag.value) for link in target.links)
    return ((target.module.name, "alone"),) if isinstance(target, Alone) else ()


async def tried(target: Authentication, evidence: Evidence, answer: Answering) -> Trial:
    """Try the login; ``answer`` is asked what modules ask back."""
    steps: list[Step] = []
    watched, progress = _watched(target, steps), None
    for _ in range(MAX_ROUNDS):
        try:
            identity, _ = await watched.authenticate(evidence, progress)
            return Trial(tuple(steps), identity)
        except MoreNeeded as more:
            progress = more.progress or Progress()
            evidence = replace(evidence, answers=await answer(more.prompts))
        except RemintError as error:
            return Trial(tuple(steps), error=error)
    return Trial(tuple(steps), error=AuthenticationFailed("it asked back too often"))


def _watched(target: Authentication, steps: list[Step]) -> Authentication:
    if isinstance(target, ResolvedTarget):
        return target.around(_watched(target.inner, steps))
    if isinstance(target, Chain):
        links = (Link(_Watched(link.module, steps), link.flag) for link in target.links)
        return Chain(target.name, tuple(links))
    return Alone(_Watched(target.module, steps)) if isinstance(target, Alone) else target
