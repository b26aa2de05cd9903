"""Every kind of module in every place, with evidence good and bad, to both kinds of token."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.kinds import builtin
from broker.authentication import FAILED
from broker.model import OPENAM, OPENIDCONNECT, SAML2, X509
from tests.authentication.places import (
    PLACES,
    TESTED,
    WITNESS,
    Place,
    chain,
    install_witness,
    target,
)
from tests.authentication.world import Servers, Shown, World
from tests.authentication.worlds import MAKING
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    pair,
    session_input,
)
from tests.support.freeradius import FreeRadius, running_freeradius
from tests.support.kdc import REALM, Kdc, running_kdc
from tests.support.pki import HEADER
from tests.support.planted import Planted
from tests.support.slapd import Slapd, running_slapd

GROUPS = {"ldap": "slapd", "radius": "freeradius", "radius-otp": "freeradius", "negotiate": "krb5"}
SERVERS = {"slapd": "slapd", "freeradius": "radius", "krb5": "kdc"}
OUTPUTS = (ID_TOKEN, ASSERTION)


def _parameter(kind: str, place: str) -> Any:
    group = GROUPS.get(kind)
    marks = [pytest.mark.server, pytest.mark.xdist_group(group)] if group else []
    return pytest.param(kind, place, marks=marks, id=f"{kind}-{place}")


EVERY = pytest.mark.parametrize(
    ("kind", "place"), [_parameter(kind, place) for kind in MAKING for place in PLACES]
)


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with running_slapd() as running:
        yield running


@pytest.fixture(scope="module")
def radius() -> Iterator[FreeRadius]:
    with running_freeradius() as running:
        yield running


@pytest.fixture(scope="module")
def kdc() -> Iterator[Kdc]:
    """With the keys of two services, and a ticket of ``alice``."""
    with running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        running.keytab(f"HTTP/localhost@{REALM}", "http.keytab")
        running.keytab(f"ldap/localhost@{REALM}", "other.keytab")
        os.replace(running.user(f"alice@{REALM}"), running.folder / "alice.ccache")
        yield running


@pytest.fixture
def servers(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Servers:
    """Only the one that the kind asks is started. The clock stands at the present, which those who
    judge certificates and tickets go by."""
    group = GROUPS.get(kind)
    running = {SERVERS[group]: request.getfixturevalue(SERVERS[group])} if group else {}
    return Servers(tmp_path, FrozenClock(float(int(time.time()))), **running)


@pytest.fixture
async def world(kind: str, servers: Servers) -> AsyncIterator[World]:
    async with MAKING[kind](servers) as made:
        yield made


@dataclass(frozen=True)
class Front:
    """The broker, and how a request is made to the module in its place."""

    door: Door
    world: World
    place: Place

    async def ask(self, shown: Shown, wanted: Any) -> tuple[Answer, str]:
        """The answer, and what the audit has of each module."""
        if self.world.given is None:
            return await self._by_login(shown, wanted)
        answer = await self.door.translate(
            shown.given, wanted, instance="placed", headers=shown.headers
        )
        return answer, told(self.door)

    async def _by_login(self, shown: Shown, wanted: Any) -> tuple[Answer, str]:
        kind, name = target(self.place)
        path = f"/json/authenticate?authIndexType={kind}&authIndexValue={name}"
        opened = await self.door.request("POST", path, headers=shown.headers)
        said = told(self.door)
        if opened.status != 200:
            return opened, said
        given = session_input(opened.body["tokenId"])
        return await self.door.translate(given, wanted, instance="placed"), said


def told(door: Door) -> str:
    line = door.audit()[-1]
    return str(line.get("vouched_by") or line.get("reason"))


@pytest.fixture
async def front(
    world: World,
    place: str,
    servers: Servers,
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Front]:
    install_witness(tmp_path, monkeypatch)
    where = PLACES[place]
    toml = f'[[module]]\nname = "{TESTED}"\n{world.keys}\n{chain(where, *world.before)}'
    settings = authentication_file(tmp_path, toml)
    state = tmp_path / "state"
    async with doors.opened(state, planted, clock=servers.clock, **settings) as door:
        await _publish(door, world, where)
        if world.prepare is not None:
            await world.prepare(door)
        yield Front(door, world, where)
        said.extend(door.refusals)
    said.append((state / "audit.log").read_text())


async def _publish(door: Door, world: World, place: Place) -> None:
    """An instance whose input of that type goes to the target, or that takes sessions."""
    given = world.given or OPENAM
    pairs = (pair(given, OPENIDCONNECT), pair(given, SAML2))
    made = an_instance("placed", transforms=pairs, attribute_map={"said": world.attribute})
    assert made.oidc is not None
    made = replace(
        made,
        oidc=replace(made.oidc, claim_map={"said": world.attribute}),
        certificate_header=HEADER if given == X509 else None,
        offload_hosts=("127.0.0.1",) if given == X509 else (),
    )
    if world.given is not None:
        made = targeted(made, **{world.given: "|".join(target(place))})
    await door.publish(made)


@dataclass(frozen=True)
class Told:
    """What tokens say of somebody."""

    name: str
    values: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


async def check(door: Door, answer: Answer, wanted: Any, who: Told) -> None:
    """The token, judged by a library that the broker does not use, says just that."""
    token = answer.body["issued_token"]
    if wanted is ID_TOKEN:
        claims = (await judges.id_token(door, token, "RS256")).claims
        found = (claims["sub"], claims.get("said", ""), tuple(claims.get("amr", ())))
        assert found == (who.name, " ".join(who.values), who.methods)
        return
    assertion = await judges.assertion(door, token)
    assert judges.texts(assertion, ".//saml:NameID") == [who.name]
    assert tuple(judges.texts(assertion, ".//saml:AttributeValue")) == who.values


async def _outcome(
    front: Front, shown: Shown, wanted: Any, expected: tuple[int, bool], who: Told
) -> None:
    answer, said = await front.ask(shown, wanted)
    assert (answer.status, f"{WITNESS}:" in said) == expected, (answer.text, said)
    if answer.status == 200:
        await check(front.door, answer, wanted, who)
    else:
        assert answer.body["message"] == (FAILED if front.place.flag else front.world.sentence)


@EVERY
async def test_right_evidence(kind: str, place: str, front: Front) -> None:
    """Right evidence gets an ID token and an assertion with the name, attribute and means that the
    module says, unless a required module beside it refuses; a factor alone is no login."""
    world, expected = front.world, front.place.good
    if world.before and not front.place.flag:
        expected = front.place.bad
    who = Told(world.name, world.values, world.methods)
    for wanted in OUTPUTS:
        await _outcome(front, await world.good(front.door), wanted, expected, who)
    records = [record.principal for record in await front.door.tokens()]
    assert records == ([world.account or world.name] * 2 if expected[0] == 200 else [])


@EVERY
async def test_wrong_evidence(kind: str, place: str, front: Front) -> None:
    """Wrong evidence gets no token by the module's word: where the flag has another module decide,
    the token says what that one, and those before, said."""
    world = front.world
    who = Told(world.name, world.values, ("pwd",)) if world.before else Told(WITNESS)
    for wanted in OUTPUTS:
        shown = await world.bad(front.door)
        await _outcome(front, shown, wanted, front.place.bad, who)


def test_no_kind_is_left_out() -> None:
    """Each kind of module that comes with the broker stands in these places."""
    assert {kind.partition("-")[0] for kind in MAKING} == set(builtin())
