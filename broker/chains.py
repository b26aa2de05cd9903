"""Chains of authentication modules, weighed as JAAS's ``Configuration`` and PAM weigh theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from broker.authentication import (
    FAILED,
    AuthModule,
    Evidence,
    Flag,
    Identity,
    MoreNeeded,
    Progress,
    Verdict,
)
from broker.errors import AuthenticationFailed, Refusal, TooManyAttempts, Unavailable

MUST = (Flag.REQUIRED, Flag.REQUISITE)
RETRY_SECONDS = 1
NAMESAKE = "it knows somebody of that name who is no local user (see link_local_users)"
DOWN = "whoever checks this login cannot be asked now; ask again shortly"


@dataclass(frozen=True, slots=True)
class Link:
    """A module in a chain, and what its word counts for."""

    module: AuthModule
    flag: Flag


class Chain:
    """Asks its modules in order.

    It succeeds if all required and requisite modules do that were asked, or, where it has none, if
    any module does. A sufficient module that succeeds ends the asking, unless a required one failed
    before it. Modules must agree on who it is, and the first one's word stands. For a local user
    nobody speaks but those who mean a local user: a directory's ``admin`` is not ours.

    A module that cannot be asked is never taken for one that said yes. If its word might have
    changed a refusal, the caller hears that it is down, and not that the login is wrong.
    """

    def __init__(self, name: str, links: tuple[Link, ...]) -> None:
        if not links:
            raise ValueError("a chain names one module at least")
        self.name = name
        self._links = links
        self._flags = tuple(link.flag for link in links)

    @property
    def links(self) -> tuple[Link, ...]:
        """Its modules in order."""
        return self._links

    @property
    def headers(self) -> frozenset[str]:
        return frozenset().union(*(link.module.headers for link in self._links))

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        """Who is asking, and what each module said. Raises AuthenticationFailed, MoreNeeded,
        TooManyAttempts and Unavailable."""
        seen = progress or Progress()
        if len(seen.verdicts) >= len(self._links) and progress is not None:
            raise AuthenticationFailed(FAILED, detail="the chain has changed since the last step")
        waiting: Unavailable | None = None
        for link in self._links[len(seen.verdicts) :]:
            resumed = seen is progress
            seen, down = await _asked(link, evidence, seen, resumed)
            waiting = waiting or down
            if _over(self._flags, seen.verdicts):
                break
        return self._ended(seen, waiting)

    def _ended(self, seen: Progress, waiting: Unavailable | None) -> tuple[Identity, str]:
        told = "; ".join(seen.told)
        if seen.identity is not None and succeeds(self._flags, seen.verdicts):
            return seen.identity, told
        was_down = Verdict.DOWN in seen.verdicts  # in an earlier step, perhaps
        if was_down and succeeds(self._flags, self._at_best(seen.verdicts)):
            retry_after = RETRY_SECONDS if waiting is None else waiting.retry_after
            raise Unavailable(DOWN, detail=told, retry_after=retry_after)
        raise AuthenticationFailed(FAILED, detail=told)

    def _at_best(self, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        """As if those who could not be asked, and those who were not, had said yes."""
        known = (Verdict.PASSED if each is Verdict.DOWN else each for each in verdicts)
        return (*known, *[Verdict.PASSED] * (len(self._flags) - len(verdicts)))


def succeeds(flags: Sequence[Flag], verdicts: Sequence[Verdict]) -> bool:
    """Whether a chain with these flags lets somebody in whom its modules judged so."""
    lost = passed = False
    for flag, verdict in zip(flags, verdicts, strict=False):
        if verdict is Verdict.PASSED:
            passed = True
            if flag is Flag.SUFFICIENT and not lost:
                break
        elif flag in MUST:
            lost = True
            if flag is Flag.REQUISITE:
                break
    return passed and not lost


def _over(flags: Sequence[Flag], verdicts: Sequence[Verdict]) -> bool:
    """Whether the last module asked ends the asking."""
    flag, verdict = flags[len(verdicts) - 1], verdicts[-1]
    if verdict is not Verdict.PASSED:
        return flag is Flag.REQUISITE
    return flag is Flag.SUFFICIENT and succeeds(flags, verdicts)


async def _asked(
    link: Link, evidence: Evidence, seen: Progress, resumed: bool
) -> tuple[Progress, Unavailable | None]:
    """What is known after one more module. Raises MoreNeeded and TooManyAttempts."""
    name = link.module.name
    mine = replace(evidence, state=seen.state) if resumed else _first(evidence)
    try:
        found = await link.module.authenticate(mine, seen.identity)
        agreed, said = _agreed(seen.identity, found), _passed(found)
        agreed = replace(agreed, note="") if agreed.note else agreed
        return seen.after(Verdict.PASSED, agreed, name, said), None
    except MoreNeeded as more:
        state = replace(seen, state=more.state)
        said = "; ".join((*seen.told, f"{name}: {_detail(more)}"))
        raise MoreNeeded(more.prompts, more.state, detail=said, progress=state) from None
    except TooManyAttempts:
        raise
    except Unavailable as down:
        said = f"cannot be asked ({_detail(down)})"
        return seen.after(Verdict.DOWN, None, name, said), down
    except Refusal as refusal:
        return seen.after(Verdict.FAILED, None, name, _detail(refusal)), None


def _passed(found: Identity) -> str:
    return f"passed ({found.note})" if found.note else "passed"


def _first(evidence: Evidence) -> Evidence:
    """What a module sees that has not asked back: answers to others' questions are not for it."""
    return (
        replace(evidence, answers={}, state={}) if evidence.answers or evidence.state else evidence
    )


def _agreed(known: Identity | None, found: Identity) -> Identity:
    """What is known of one person from both. Raises AuthenticationFailed if they are two."""
    if known is None or found is known:
        return found
    if found.name != known.name:
        raise AuthenticationFailed(FAILED, detail="it is somebody else than modules before it said")
    if known.foreign is None and found.foreign is not None:
        raise AuthenticationFailed(FAILED, detail=NAMESAKE)
    if found.one_time and known.one_time and found.one_time != known.one_time:
        raise AuthenticationFailed(FAILED, detail="a login takes one code that counts once")
    ends = [end for end in (known.not_after, found.not_after) if end is not None]
    return replace(
        known,
        attributes={**found.attributes, **known.attributes},
        methods=tuple(dict.fromkeys((*known.methods, *found.methods))),
        one_time=known.one_time or found.one_time,
        one_time_until=max(known.one_time_until or 0, found.one_time_until or 0) or None,
        not_after=min(ends) if ends else None,
        session_id=known.session_id or found.session_id,
        parent=known.parent or found.parent,
    )


def _detail(error: Refusal | Unavailable) -> str:
    return error.detail or error.sentence


class Alone:
    """A module that is asked by itself: what it says to the caller goes out as it is."""

    def __init__(self, module: AuthModule) -> None:
        self.name = module.name
        self._module = module

    @property
    def module(self) -> AuthModule:
        return self._module

    @property
    def headers(self) -> frozenset[str]:
        return self._module.headers

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        seen = progress or Progress()
        mine = _first(evidence) if progress is None else replace(evidence, state=seen.state)
        try:
            found = await self._module.authenticate(mine, None)
            return found, f"{self.name}: {_passed(found)}"
        except MoreNeeded as more:
            state = replace(seen, state=more.state)
            raise MoreNeeded(
                more.prompts, more.state, detail=_detail(more), progress=state
            ) from None
