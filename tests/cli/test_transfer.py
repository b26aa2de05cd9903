"""``remint export`` and ``remint import``: the configuration in a file, and out of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.stores import Stores
from adapters.stores.memory import open_memory
from adapters.transfer import Configuration, TransferRefused, planned
from broker.errors import Unavailable
from broker.model import InstanceDocument, User
from broker.testing import a_user, an_instance_document
from tests.cli.conftest import Remint
from tests.cli.transferred import (
    DOCUMENTS,
    INSTANCES,
    PASSWORD,
    USERS,
    exported,
    fill,
    found,
    in_store,
    is_all,
)
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are written; a realm is declared, and the password is in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REMINT_REALMS", '["/declared"]')
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return tmp_path


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=[pytest.mark.server, pytest.mark.xdist_group("redis")]),
    ]
)
def elsewhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Makes the settings lead to another, empty store of another deployment."""

    def move() -> None:
        monkeypatch.setenv("REMINT_STATE_DIR", str(tmp_path / "elsewhere"))
        if request.param == "redis":
            redis: RedisServer = request.getfixturevalue("redis")
            redis.empty()
            monkeypatch.setenv("REMINT_STORE__URL", redis.url)

    return move


# -- there and back ------------------------------------------------------------------------------


def test_all_of_it_arrives_elsewhere(remint: Remint, elsewhere: Callable[[], None]) -> None:
    """Documents, instances with their secrets, users of every realm: in another store, as before,
    though that has another root secret."""
    exported(remint)
    elsewhere()
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[-1] == "10 added, 0 replaced, 0 unchanged"
    assert lines.index("added document z") < lines.index("added document realms")
    assert lines.index("added document realms") < lines.index("added instance demo")
    assert is_all(in_store(found))


def test_an_import_can_be_repeated(remint: Remint, elsewhere: Callable[[], None]) -> None:
    """The second time everything is there, and nothing is touched."""
    exported(remint)
    elsewhere()
    assert remint("import", "backup", "--password-file", "password").code == 0
    before = in_store(lambda stores: stores.configuration.generation())
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.err, done.out) == (0, "", "0 added, 0 replaced, 10 unchanged\n")
    assert in_store(lambda stores: stores.configuration.generation()) == before


async def differ(stores: Stores) -> None:
    """Somebody has changed one thing of each kind, and added a user."""
    await stores.configuration.swap("keys/", DOCUMENTS["keys/"], b"newer")
    await stores.instances.replace(replace(INSTANCES[0], revision="2"), INSTANCES[0].revision)
    await stores.users.put(replace(USERS[1], active=True))
    await stores.users.put(a_user(name="new"))


def test_what_differs_is_left_alone(remint: Remint, elsewhere: Callable[[], None]) -> None:
    """Without --replace each difference is named, and nothing at all is imported."""
    exported(remint)
    elsewhere()
    assert remint("import", "backup", "--password-file", "password").code == 0
    in_store(differ)
    in_store(lambda stores: stores.instances.delete("made/demo", None))
    before = in_store(found)
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    said = done.err.splitlines()
    named = ["  document keys/", "  user ödön in /declared", "  instance demo"]
    assert said[1:] == [*named, "--replace overwrites it"]
    assert in_store(found) == before


def test_what_differs_is_replaced_on_demand(remint: Remint, elsewhere: Callable[[], None]) -> None:
    """With --replace the file's version stands; what the file does not know stays."""
    exported(remint)
    elsewhere()
    assert remint("import", "backup", "--password-file", "password").code == 0
    in_store(differ)
    done = remint("import", "backup", "--password-file", "password", "--replace")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "replaced document keys/",
        "replaced user ödön in /declared",
        "replaced instance demo",
        "0 added, 3 replaced, 7 unchanged",
    ]
    after = in_store(found)
    assert a_user(name="new") in after.users
    kept = tuple(user for user in after.users if user.name != "new")
    assert is_all(replace(after, users=kept))


def test_a_realm_that_is_not_declared_is_a_warning(
    remint: Remint, elsewhere: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users of a realm that only the old settings declared are imported, and the realm is named."""
    exported(remint)
    elsewhere()
    monkeypatch.setenv("REMINT_REALMS", "[]")
    done = remint("import", "backup", "--password-file", "password")
    assert done.code == 0
    assert done.err == "warning: there is no realm /declared; declare it in the settings\n"


# -- stores --------------------------------------------------------------------------------------


def test_an_empty_store_is_not_exported(remint: Remint) -> None:
    """A backup of the wrong folder is noticed when it is made, not when it is needed."""
    done = remint("export", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert "nothing to export" in done.err
    assert not Path("backup").exists()


def test_memory_is_refused(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps nothing is neither exported nor imported into."""
    exported(remint)
    monkeypatch.setenv("REMINT_STORE__URL", "memory://")
    for command in (("export", "second"), ("import", "backup")):
        done = remint(*command, "--password-file", "password")
        assert (done.code, done.out) == (1, "")
        assert "memory:// keeps nothing" in done.err


async def test_an_import_that_was_cut_short_is_completed_by_the_next() -> None:
    """If the store goes away in the middle, the same import does the rest."""
    source, target = open_memory(), open_memory()
    await fill(source)
    wanted = await found(source)
    broken = replace(target, users=_Away())
    with pytest.raises(Unavailable):
        await (await planned(broken, wanted)).carry_out()
    plan = await planned(target, wanted)
    assert (plan.conflicts, plan.unchanged) == ([], len(DOCUMENTS))
    await plan.carry_out()
    assert is_all(await found(target))


class _Away:
    """A UserStore that can be read and not written."""

    async def get(self, realm: str, name: str) -> User | None:
        return None

    async def put(self, user: User) -> None:
        raise Unavailable("the store cannot be reached")

    async def create(self, user: User) -> bool:
        raise Unavailable("the store cannot be reached")

    async def delete(self, realm: str, name: str) -> bool:
        raise Unavailable("the store cannot be reached")

    async def list(self, realm: str) -> list[User]:
        return []


async def _new_ring(stores: Stores) -> None:
    await stores.configuration.swap("keys/", None, b"faster")


async def _new_user(stores: Stores) -> None:
    await stores.users.create(replace(USERS[0], active=False))


async def _new_instance(stores: Stores) -> None:
    await stores.instances.create(replace(INSTANCES[0], revision="faster"))


@pytest.mark.parametrize("change", [_new_ring, _new_user, _new_instance])
async def test_what_somebody_else_does_meanwhile_is_not_undone(
    change: Callable[[Stores], Awaitable[None]],
) -> None:
    """Between the plan and its doing another broker may write: its work stands, and is named."""
    source, target = open_memory(), open_memory()
    await fill(source)
    plan = await planned(target, await found(source))
    await change(target)
    after = await found(target)
    with pytest.raises(TransferRefused, match="was changed while the import was running"):
        await plan.carry_out()
    kept = await found(target)
    assert all(user in kept.users for user in after.users)
    assert all(instance in kept.instances for instance in after.instances)
    assert after.documents.items() <= kept.documents.items()


async def test_a_name_in_other_letter_case_is_a_conflict() -> None:
    """Names are told apart without regard to letter case; on demand the file's takes the place."""
    target = open_memory()
    await target.instances.create(an_instance_document(id="DEMO"))
    wanted = Configuration({}, (an_instance_document(),), ())
    plan = await planned(target, wanted)
    assert plan.conflicts == ["instance demo"]
    await plan.carry_out()
    names: list[InstanceDocument] = await target.instances.list()
    assert names == [an_instance_document()]


async def test_a_list_of_realms_that_cannot_be_read_is_a_sentence() -> None:
    """Users of realms that nobody can list are not silently left out."""
    source = open_memory()
    await source.configuration.swap("realms", None, b'{"realms": 1}')
    with pytest.raises(TransferRefused, match="list of realms"):
        await found(source)
