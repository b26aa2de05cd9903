"""Many published instances: each is looked up and compiled by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from adapters.instances import directory
from adapters.instances.checking import Checking
from broker.instance import Instance
from broker.model import InstanceDocument
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Door, an_instance, user_input
from tests.support.planted import Planted


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of stored instances, in the order in which they are compiled."""
    seen: list[str] = []
    compiled = Checking.compiled

    def noted(self: Checking, document: InstanceDocument) -> Instance:
        seen.append(document.id)
        return compiled(self, document)

    monkeypatch.setattr(Checking, "compiled", noted)
    return seen


async def test_only_what_changed_is_compiled(door: Door, compilations: list[str]) -> None:
    """Publishing one instance does not have the others compiled again."""
    await door.publish(an_instance("first"), an_instance("second"))
    resolve = door.broker.components.instances.resolve
    for name in ("first", "second"):
        await resolve(name)
    compilations.clear()
    changed = an_instance("second", persist=False)
    await door.publish(changed)
    assert not (await resolve("second")).persist_issued_tokens
    assert (await resolve("first")).persist_issued_tokens
    await door.publish(an_instance("third"))
    await resolve("first")
    assert compilations == ["second"]


async def test_what_keys_are_needed_is_asked_of_changed_ones(
    door: Door, compilations: list[str]
) -> None:
    """What the realm's keys are needed for is worked out anew for changed instances alone."""
    needs = door.broker.components.instances.key_needs
    await door.publish(an_instance("first"), an_instance("second"))
    first = await needs()
    compilations.clear()
    longer = an_instance("second")
    assert longer.oidc is not None
    await door.publish(replace(longer, oidc=replace(longer.oidc, lifetime_seconds=7200)))
    second = await needs()
    assert compilations == ["second"]
    assert (first["/"].lifetime_seconds, second["/"].lifetime_seconds) == (600, 7200)


async def test_a_start_compiles_nothing(
    tmp_path: Path, planted: Planted, said: list[str], compilations: list[str]
) -> None:
    """A broker that starts compiles an instance when the first request asks for it."""
    async with doors.opened(tmp_path / "state", planted) as door:
        await door.publish(*(an_instance(f"of-{number}") for number in range(20)))
    compilations.clear()
    tending = patch.object(directory.InstanceDirectory, "key_needs", return_value={})
    with tending:
        async with doors.opened(tmp_path / "state", planted) as door:
            answer = await door.translate(user_input(), ID_TOKEN, instance="of-7")
            said.extend(door.refusals)
    assert answer.status == 200
    assert compilations == ["of-7"]


async def test_the_oldest_makes_room(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the cache forgets one instance for each new one, and all go on serving."""
    monkeypatch.setattr(directory, "MAX_CACHED", 2)
    names = [f"of-{number}" for number in range(5)]
    await door.publish(*map(an_instance, names))
    for name in [*names, *reversed(names)]:
        assert (await door.broker.components.instances.resolve(name)).url_element == name


async def test_a_broken_one_stops_nobody(door: Door) -> None:
    """A stored instance that cannot be read is a 400 there; the others serve, and it can be
    read and repaired."""
    await door.publish(an_instance("good"), an_instance("bad"))
    instances = door.broker.stores.instances
    stored = await instances.get("bad")
    assert stored is not None
    broken = {**stored.body, "supported-token-transforms": "none"}
    await instances.replace(replace(stored, revision="1", body=broken), None)
    assert (await door.translate(user_input(), ID_TOKEN, instance="good")).status == 200
    answer = await door.translate(user_input(), ID_TOKEN, instance="bad")
    assert 400 <= answer.status < 500
    assert "/" in await door.broker.components.instances.key_needs()
    await door.publish(an_instance("bad"))
    assert (await door.translate(user_input(), ID_TOKEN, instance="bad")).status == 200
