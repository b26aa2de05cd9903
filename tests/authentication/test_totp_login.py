"""A code that is asked back for: logins step by step, and the modules by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.totp import NOBODY, Authenticators, Manner
from adapters.authentication.kinds import Parts
from broker.authentication import OTP_PROMPT, Evidence, Flag, Identity, MoreNeeded
from broker.chains import Chain, Link
from broker.errors import AuthenticationFailed, Unavailable
from broker.factors import Factor, FactorStore
from broker.model import Secret
from broker.testing import NOW
from tests.support import door as doors
from tests.support.authentication import authentication_file, module, parts, tried
from tests.support.door import Answer, Door, FrozenClock, session_input
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.totp import App, code
from tests.support.word_module import install_word

CHAIN = """
[[module]]
name = "codes"
kind = "totp"

[[chain]]
name = "two"
modules = [{ module = "DataStore", flag = "required" }, { module = "codes", flag = "required" }]
"""
LOGIN = "/json/authenticate?authIndexType=service&authIndexValue=two"
HEAD = {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def front(clock: FrozenClock, tmp_path: Path, planted: Planted) -> AsyncIterator[Door]:
    settings = authentication_file(tmp_path, CHAIN)
    async with doors.opened(tmp_path / "state", planted, clock=clock, **settings) as opened:
        yield opened


@pytest.fixture
async def app(front: Door, clock: FrozenClock) -> App:
    """The confirmed authenticator of ``demo``."""
    return await enrolled(Authenticators(front.broker.stores.factors), "demo", clock)


async def enrolled(authenticators: Authenticators, name: str, clock: FrozenClock) -> App:
    owner = Owner("/", name)
    made = await authenticators.enrol(owner, Manner(), clock.at)
    app = App(made.uri(name, "test").reveal())
    await authenticators.confirm(owner, Secret(app.code(clock.at - app.period)), clock.at)
    return app


async def answered(door: Door, asked: Answer, given: str) -> Answer:
    (callback,) = asked.body["callbacks"]
    callback["input"][0]["value"] = given
    return await door.request("POST", LOGIN, body=asked.body)


async def test_login_asks_for_the_code(front: Door, app: App, clock: FrozenClock) -> None:
    """A login with a password alone is asked for the code, and opens a session with it."""
    asked = await front.request("POST", LOGIN, headers=HEAD)
    assert asked.status == 200
    assert [each["type"] for each in asked.body["callbacks"]] == ["PasswordCallback"]
    opened = await answered(front, asked, app.code(clock.at))
    token = await front.translate(session_input(opened.body["tokenId"]), doors.ID_TOKEN)
    assert token.status == 200


async def test_login_spends_the_code(front: Door, app: App, clock: FrozenClock) -> None:
    """A second login with the same code is refused, and so is a wrong code."""
    for given, status in ((app.code(clock.at), 200), (app.code(clock.at), 401), ("000000", 401)):
        asked = await front.request("POST", LOGIN, headers=HEAD)
        assert (await answered(front, asked, given)).status == status


# -- the module ----------------------------------------------------------------------------------


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    install_word(tmp_path, monkeypatch)
    return parts(tmp_path)


DEMO = Identity("demo", {"mail": ("d@example.org",)}, foreign=None, methods=("pwd",))


def evidence(clock: FrozenClock, **changes: Any) -> Evidence:
    return replace(Evidence("/", clock.at, username="demo"), **changes)


async def test_identity_keeps_what_is_known(given: Parts, clock: FrozenClock) -> None:
    """The module adds the method and what is to be spent, and leaves the rest as it was."""
    app = await enrolled(Authenticators(given.factors), "demo", clock)
    codes = module({"name": "codes", "kind": "totp"}, given)
    found = await codes.authenticate(evidence(clock, otp=Secret(app.code(clock.at))), DEMO)
    step = int(clock.at // 30)
    assert found.one_time == f"totp:/:demo:{step}"
    assert found.one_time_until is not None
    assert found.one_time_until >= (step + 2) * 30  # the end of the window of one step
    assert replace(found, one_time=None, one_time_until=None) == replace(
        DEMO, methods=("pwd", "otp")
    )


async def test_answer_counts_as_the_code(given: Parts, clock: FrozenClock) -> None:
    """In a chain the module asks back with the prompt of codes and goes on with the answer."""
    app = await enrolled(Authenticators(given.factors), "auth://words#demo", clock)
    words = module({"name": "words", "kind": "word", "word": USER_PASSWORD}, given)
    codes = module({"name": "codes", "kind": "totp", "required_for": "everyone"}, given)
    chain = Chain("two", (Link(words, Flag.REQUIRED), Link(codes, Flag.REQUIRED)))
    first = evidence(clock, password=Secret(USER_PASSWORD))
    with pytest.raises(MoreNeeded) as more:
        await chain.authenticate(first)
    assert more.value.prompts == (OTP_PROMPT,)
    answers = {OTP_PROMPT.id: Secret(app.code(clock.at))}
    found, told = await chain.authenticate(
        replace(first, password=None, answers=answers), more.value.progress
    )
    assert (found.name, told) == ("demo", "words: passed; codes: passed")
    assert found.one_time is not None
    with pytest.raises(AuthenticationFailed):
        await chain.authenticate(replace(first, answers={}, otp=Secret("1")), more.value.progress)


class Away:
    """A FactorStore that cannot be reached."""

    async def get(self, *names: str) -> None:
        raise Unavailable("the store cannot be reached")


@pytest.mark.parametrize("kind", ["totp", "passcode"])
@pytest.mark.parametrize("known", [DEMO, None], ids=["known", "unknown"])
async def test_store_that_is_down_is_no_yes(
    given: Parts, clock: FrozenClock, kind: str, known: Identity | None
) -> None:
    """If nobody can say what an account has, the login is not accepted, nor without a code."""
    away = replace(given, factors=Away())  # type: ignore[arg-type]
    document = {"name": "codes", "kind": kind}
    if kind == "totp":
        document["required_for"] = "enrolled"
    codes = module(document, away)
    with pytest.raises(Unavailable):
        await codes.authenticate(evidence(clock, otp=Secret("123456")), known)


@dataclass(frozen=True)
class Counting:
    """A FactorStore that notes how often it is read."""

    inner: FactorStore
    reads: list[str]

    async def get(self, realm: str, account: str, kind: str, id: str) -> Factor | None:
        self.reads.append(account)
        return await self.inner.get(realm, account, kind, id)


@pytest.mark.parametrize("kind", ["totp", "passcode"])
async def test_refusals_cost_the_same(given: Parts, clock: FrozenClock, kind: str) -> None:
    """A wrong code costs as many looks into the store after a wrong password as after the right
    one, and for a name that nobody has."""
    reads: list[str] = []
    counted = replace(given, factors=Counting(given.factors, reads))  # type: ignore[arg-type]
    await enrolled(Authenticators(given.factors), "demo", clock)
    codes = module({"name": "codes", "kind": kind}, counted)
    for known, name in ((DEMO, "demo"), (None, "demo"), (None, "nobody")):
        with pytest.raises(AuthenticationFailed):
            await codes.authenticate(evidence(clock, username=name, otp=Secret("1")), known)
    assert reads == ["demo", "demo", "nobody"]


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"kind": "totp", "required_for": "some"}, ["required_for"]),
        ({"kind": "totp", "window": 3}, ["window"]),
        ({"kind": "totp", "window": "x", "digits": 8}, ["digits", "window"]),
        ({"kind": "passcode", "use": "both"}, ["use"]),
        ({"kind": "passcode", "length": 4}, ["length"]),
    ],
)
def test_documents(given: Parts, document: dict[str, Any], keys: list[str]) -> None:
    """What a document may not say is a problem of its key, all of them at once."""
    _, problems = tried({"name": "codes", **document}, given)
    assert sorted(key for key, _ in problems) == keys


# -- RFC 6238 ------------------------------------------------------------------------------------

SEEDS = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
VECTORS = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector[0]))
def test_vectors_of_the_standard(vector: tuple[int, str, str, str]) -> None:
    """The codes of RFC 6238, appendix B, are known in their step and in no other."""
    at, *codes = vector
    for (algorithm, size), wanted in zip(SEEDS.items(), codes, strict=True):
        secret = (b"1234567890" * 7)[:size]
        manner = Manner(algorithm, 8, 30)
        authenticator = replace(NOBODY, secret=secret, manner=manner)
        assert authenticator.step(wanted, at, 0) == at // 30
        assert authenticator.step(wanted, at + 30, 0) is None
        assert authenticator.step(wanted, at + 30, 1) == at // 30
        assert code(secret, at, algorithm=algorithm, digits=8) == wanted


def test_secrets_are_shown_by_nothing() -> None:
    """What an authenticator and its factor print has nothing of the secret."""
    authenticator = replace(NOBODY, secret=b"a secret of a length", made_at=NOW)
    for text in (repr(authenticator), str(authenticator.base32), repr(authenticator.uri("a", "b"))):
        assert "secret of" not in text
        assert authenticator.base32.reveal() not in text
