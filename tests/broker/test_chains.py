"""Chains of modules: who gets in, who is asked, and what a module hears that asked back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authentication import (
    FAILED,
    OTP_PROMPT,
    Evidence,
    Flag,
    Identity,
    MoreNeeded,
    Progress,
)
from broker.chains import Alone, Chain, Link
from broker.errors import AuthenticationFailed, InvalidToken, TooManyAttempts, Unavailable
from broker.model import USERNAME, Secret

YES, NO, DOWN, BACK = "yes", "no", "down", "asks back"
EVIDENCE = Evidence(realm="/", now=1000.0, username="alice", password=Secret("p"))
ALICE = Identity("alice", {}, foreign=None)
CODE = {"otp": Secret("123456")}

FLAGS = st.sampled_from(Flag)


@dataclass
class Scripted:
    """Answers as it was told to; notes what it was shown."""

    name: str
    says: str
    identity: Identity = ALICE
    shown: list[Evidence] = field(default_factory=list)
    knew: list[Identity | None] = field(default_factory=list)
    headers: frozenset[str] = frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        self.shown.append(evidence)
        self.knew.append(known)
        if self.says == DOWN:
            raise Unavailable("down", detail=f"{self.name} is down", retry_after=7)
        if self.says == NO:
            raise AuthenticationFailed(FAILED, detail=f"{self.name} says no")
        if self.says == BACK and not evidence.answers:
            raise MoreNeeded((OTP_PROMPT,), {"for": self.name})
        return self.identity

    async def close(self) -> None:
        return None


def chain(modules: Sequence[tuple[Flag, str]]) -> tuple[Chain, list[Scripted]]:
    made = [Scripted(f"m{number}", says) for number, (_, says) in enumerate(modules)]
    links = (Link(module, flag) for module, (flag, _) in zip(made, modules, strict=True))
    return Chain("c", tuple(links)), made


async def outcome(target: Chain | Alone, progress: Progress | None = None) -> str:
    evidence = EVIDENCE if progress is None else replace(EVIDENCE, answers=CODE)
    try:
        identity, _ = await target.authenticate(evidence, progress)
    except MoreNeeded as more:
        return await outcome(target, more.progress)
    except Unavailable:
        return DOWN
    except InvalidToken as error:
        return NO if error.sentence == FAILED else error.sentence
    return YES if identity.name == "alice" else identity.name


# -- JAAS's own rules, as its Configuration class tells them ---------------------------------------


def jaas(modules: Sequence[tuple[Flag, bool]]) -> tuple[bool, int]:
    """Whether the login succeeds, and how many modules are asked."""
    must = {Flag.REQUIRED, Flag.REQUISITE}
    for asked, (flag, good) in enumerate(modules, 1):
        failed_before = any(f in must and not g for f, g in modules[: asked - 1])
        if flag is Flag.REQUISITE and not good:
            return False, asked
        if flag is Flag.SUFFICIENT and good and not failed_before:
            return True, asked
    mandatory = [good for flag, good in modules if flag in must]
    if mandatory:
        return all(mandatory), len(modules)
    return any(good for _, good in modules), len(modules)


@given(st.lists(st.tuples(FLAGS, st.booleans()), min_size=1, max_size=6))
async def test_weighs_as_jaas_does(modules: list[tuple[Flag, bool]]) -> None:
    """Who gets in, and how many are asked, is what JAAS's rules say of the same flags."""
    accepted, asked = jaas(modules)
    target, made = chain([(flag, YES if good else NO) for flag, good in modules])
    assert await outcome(target) == (YES if accepted else NO)
    assert [bool(module.shown) for module in made] == [n < asked for n in range(len(made))]


@given(st.lists(st.tuples(FLAGS, st.sampled_from([YES, NO, DOWN])), min_size=1, max_size=6))
async def test_who_is_down_lets_nobody_in(modules: list[tuple[Flag, str]]) -> None:
    """A module that cannot be asked never counts as a yes; a refusal that it might have turned is
    told as its being down, every other one as a refusal."""
    target, made = chain(modules)
    found = await outcome(target)
    at_worst, _ = jaas([(flag, says == YES) for flag, says in modules])
    assert (found == YES) == at_worst
    was_down = any(module.shown and module.says == DOWN for module in made)
    at_best, _ = jaas([(flag, says != NO) for flag, says in modules])
    if found == NO:
        assert not (was_down and at_best)
    if found == DOWN:
        assert was_down


@pytest.mark.parametrize(
    ("flag", "says", "expected"),
    [
        *[(flag, YES, YES) for flag in Flag],
        *[(flag, NO, NO) for flag in Flag],
        *[(flag, DOWN, DOWN) for flag in Flag],
    ],
)
async def test_one_module(flag: Flag, says: str, expected: str) -> None:
    """A chain of one module says what the module says, whatever its flag."""
    target, _ = chain([(flag, says)])
    assert await outcome(target) == expected


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ([(Flag.REQUISITE, DOWN), (Flag.REQUIRED, YES)], DOWN),
        ([(Flag.REQUIRED, DOWN), (Flag.REQUISITE, NO)], NO),
        ([(Flag.SUFFICIENT, DOWN), (Flag.REQUIRED, YES)], YES),
        ([(Flag.SUFFICIENT, DOWN), (Flag.REQUIRED, NO)], DOWN),
        ([(Flag.OPTIONAL, DOWN), (Flag.REQUIRED, NO)], NO),
        ([(Flag.OPTIONAL, DOWN), (Flag.OPTIONAL, NO)], DOWN),
        ([(Flag.REQUIRED, NO), (Flag.SUFFICIENT, YES)], NO),
    ],
)
async def test_pairs(modules: list[tuple[Flag, str]], expected: str) -> None:
    """What is said of a pair of which one module is down, or fails before a sufficient one."""
    target, _ = chain(modules)
    assert await outcome(target) == expected


# -- asking back ---------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(FLAGS, st.sampled_from([YES, NO, BACK])), min_size=1, max_size=6),
)
async def test_asking_back_changes_no_outcome(modules: list[tuple[Flag, str]]) -> None:
    """A login in several steps ends as the same login in one step does, each module is asked for
    its verdict once, and an answer reaches only the module that asked."""
    accepted, _ = jaas([(flag, says != NO) for flag, says in modules])
    target, made = chain(modules)
    assert await outcome(target) == (YES if accepted else NO)
    for module in made:
        times = 2 if module.says == BACK else 1
        assert len(module.shown) in (0, times)
        for first in module.shown[:1]:
            assert (first.answers, dict(first.state)) == ({}, {})
        for second in module.shown[1:]:
            assert (second.answers, second.state) == (CODE, {"for": module.name})


async def test_down_before_it_was_asked_back() -> None:
    """A module that was down in an earlier step is still the reason in a later one."""
    target, _ = chain([(Flag.SUFFICIENT, DOWN), (Flag.OPTIONAL, BACK), (Flag.REQUIRED, NO)])
    assert await outcome(target) == DOWN


async def test_alone_asks_back() -> None:
    """A module by itself sees its own state again with the answers."""
    module = Scripted("m", BACK)
    assert await outcome(Alone(module)) == YES
    assert [dict(each.state) for each in module.shown] == [{}, {"for": "m"}]


async def test_chain_that_has_shrunk() -> None:
    """Steps of a chain that has become shorter meanwhile let nobody in."""
    long, _ = chain([(Flag.REQUIRED, YES), (Flag.REQUIRED, BACK)])
    short, _ = chain([(Flag.REQUIRED, YES)])
    with pytest.raises(MoreNeeded) as more:
        await long.authenticate(EVIDENCE)
    assert await outcome(short, more.value.progress) == NO


async def test_asking_back_is_a_failed_login_elsewhere() -> None:
    """Whoever cannot ask back hears what every failed login hears."""
    target, _ = chain([(Flag.REQUIRED, BACK)])
    with pytest.raises(AuthenticationFailed) as failed:
        await target.authenticate(EVIDENCE)
    assert failed.value.sentence == FAILED


# -- one person ----------------------------------------------------------------------------------


def two(first: Identity, second: Identity, flag: Flag = Flag.REQUIRED) -> Chain:
    return Chain(
        "c",
        (
            Link(Scripted("m0", YES, first), Flag.REQUIRED),
            Link(Scripted("m1", YES, second), flag),
        ),
    )


@pytest.mark.parametrize("name", ["bob", "Alice", "alice ", "\u0430lice"])
async def test_modules_agree_on_a_name(name: str) -> None:
    """Two modules that say two names, to the letter, are no login."""
    assert await outcome(two(ALICE, Identity(name, {}, foreign=None))) == NO


async def test_a_namesake_vouches_for_no_local_user() -> None:
    """What somebody of a directory knows is no second word for the local user of the same name,
    and adds nothing to him; the local user may vouch for the other, who gets no more by it."""
    there = Identity("alice", {"cn": ("A",)}, "auth://corp#alice")
    assert await outcome(two(ALICE, there)) == NO
    identity, _ = await two(ALICE, there, Flag.OPTIONAL).authenticate(EVIDENCE)
    assert identity == ALICE
    identity, _ = await two(there, ALICE).authenticate(EVIDENCE)
    assert identity.foreign == "auth://corp#alice"


async def test_somebody_else_adds_nothing() -> None:
    """What an optional module says of somebody else is not taken for the first one's."""
    other = Identity("bob", {"mail": ("b@example.com",)}, foreign=None, methods=("otp",))
    identity, told = await two(ALICE, other, Flag.OPTIONAL).authenticate(EVIDENCE)
    assert identity == ALICE
    assert told == "m0: passed; m1: it is somebody else than modules before it said"


async def test_what_both_know_is_joined() -> None:
    """The first one's word on account and attributes stands; the others add what it lacks, and
    the sooner end counts."""
    first = Identity("alice", {"mail": ("a",)}, "auth://one#alice", ("pwd",), not_after=50)
    attributes = {"mail": ("b",), "cn": ("A",)}
    second = Identity("alice", attributes, "auth://two#alice", ("otp",), "t-1", 40)
    identity, _ = await two(first, second).authenticate(EVIDENCE)
    assert identity == Identity(
        "alice", {"mail": ("a",), "cn": ("A",)}, "auth://one#alice", ("pwd", "otp"), "t-1", 40
    )


async def test_one_code_that_counts_once() -> None:
    """Of two codes only one could be spent, so a login never takes two."""
    first = replace(ALICE, one_time="t-1")
    assert await outcome(two(first, replace(ALICE, one_time="t-2"))) == NO
    assert await outcome(two(first, first)) == YES


async def test_second_factor_hears_who_it_is() -> None:
    """Each module is told whom those before it agreed on."""
    target, made = chain([(Flag.OPTIONAL, NO), (Flag.REQUIRED, YES), (Flag.REQUIRED, YES)])
    assert await outcome(target) == YES
    assert [module.knew for module in made] == [[None], [None], [ALICE]]


async def test_audit_hears_each_module() -> None:
    """The reason in the audit names every module that was asked, with what it said."""
    target, _ = chain([(Flag.OPTIONAL, DOWN), (Flag.REQUIRED, YES), (Flag.REQUISITE, NO)])
    with pytest.raises(AuthenticationFailed) as failed:
        await target.authenticate(EVIDENCE)
    assert failed.value.detail == ("m0: cannot be asked (m0 is down); m1: passed; m2: m2 says no")


async def test_slow_down_is_passed_on() -> None:
    """A module that wants the caller to slow down is heard, whatever its flag."""

    class Busy(Scripted):
        async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
            raise TooManyAttempts("slow down", retry_after=3)

    busy = Chain("c", (Link(Busy("m", YES), Flag.OPTIONAL),))
    with pytest.raises(TooManyAttempts):
        await busy.authenticate(EVIDENCE)


async def test_headers_of_all() -> None:
    """A chain wants the headers that any of its modules wants."""
    links = (Link(Scripted(n, YES, headers=frozenset({n})), Flag.OPTIONAL) for n in ("a", "b"))
    assert Chain("c", tuple(links)).headers == {"a", "b"}


def test_empty_chain() -> None:
    """A chain of nobody would let everybody in, or nobody: there is none."""
    with pytest.raises(ValueError, match="one module"):
        Chain("c", ())


def test_principal_of_an_identity() -> None:
    """Records know a foreign identity by its account, and the login says how it was made."""
    found = Identity("admin", {"cn": ("A",)}, "auth://m#admin", ("pwd",), "t", 2000)
    principal = found.principal("/", USERNAME, 1000.7, "m: passed")
    assert (principal.account, principal.name) == ("auth://m#admin", "admin")
    assert (principal.authenticated_at, principal.not_after) == (1000, 2000)
    assert principal.login is not None
    assert (principal.login.at, principal.login.methods) == (1000, ("pwd",))
    assert (principal.one_time_token, principal.vouched_by) == ("t", "m: passed")
    assert "A" not in repr(found)
