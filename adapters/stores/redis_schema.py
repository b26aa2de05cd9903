"""The door to the store in Redis: are the functions there, and may this broker come in?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import resources

from redis.exceptions import RedisError, ResponseError

from adapters.keys import deployment
from adapters.keys.deployment import Deployment, KeyWrapper
from adapters.stores import SchemaTooNew, SchemaTooOld, StoreRefused, copy_marks
from adapters.stores.redis_commands import CALL_SECONDS, Commands, unavailable
from adapters.stores.redis_durability import note
from adapters.stores.redis_keys import META
from adapters.stores.redis_links import Link
from adapters.stores.redis_urls import link_to
from broker.errors import Unavailable

SCHEMA_VERSION = 2
"""Of keys and values. The function library has this number in its name, so that brokers of two
versions can work on one Redis while the one replaces the other."""

OLDEST_VERSION = 1
"""Of the stores that this broker can work with, beside brokers of that version."""

SLOTS_FIELD = "deployment"

FUNCTIONS_REVISION = 4
"""Of the library of this schema version, as redis_functions.lua says it."""

FUNCTIONS_FILE = "redis_functions.lua"
LOAD_SECONDS = 10.0
LOAD_COMMAND = "remint store load-functions URL"
LIBRARY = f"remint_{SCHEMA_VERSION}"

CLUSTER_MODE = b"cluster_enabled:1"
"""In what ``INFO cluster`` says."""


class FunctionsMissing(StoreRefused):
    """The functions of this version are not loaded into Redis."""


class FunctionsDiffer(FunctionsMissing):
    """Redis has another revision of them; which of the two is newer is for people to say."""


class InCluster(StoreRefused):
    """The URL names one server of a cluster, as if it were all there is."""


def function(name: str) -> str:
    """The full name of a function of ours."""
    return f"{LIBRARY}_{name}"


async def load_functions(url: str) -> list[str]:
    """Load the function library into every server behind ``url``, over an older revision of it.

    The URL's user needs ``FUNCTION LOAD``, which the broker's does not. What it can see of the
    server and should be put right comes back as sentences, for people to read; settings that tell
    what an acknowledged write is worth are noted in the store.

    Raises ValueError for a URL it cannot read, and Unavailable if Redis cannot be reached or
    refuses; FunctionsDiffer, and loads nothing, where the functions of a newer version are.
    """
    link = link_to(url)
    source = resources.files("adapters.stores").joinpath(FUNCTIONS_FILE).read_text("utf-8")
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            await _refuse_newer(link)
            for reply in await link.everywhere("FUNCTION", "LOAD", "REPLACE", source):
                if isinstance(reply, Exception):
                    raise unavailable(reply)
            users = await link.everywhere("ACL", "GETUSER", "default")
            await note(link)
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await link.close()
    return sorted({warning for user in users for warning in _warnings(user)})


async def _refuse_newer(link: Link) -> None:
    """Brokers that use newer functions would find some of them gone, and could issue nothing."""
    for reply in await _revisions(link):
        if isinstance(reply, int) and reply > FUNCTIONS_REVISION:
            raise FunctionsDiffer(
                f"Redis has revision {reply} of the functions, which newer brokers need, and these "
                f"are revision {FUNCTIONS_REVISION}: nothing was loaded. To go back to this "
                f"version, end the newer brokers, run FUNCTION DELETE {LIBRARY} in Redis, and load "
                "again"
            )


async def _revisions(link: Link) -> list[object]:
    """What each server has, or the error that it answers. Raises RedisError or OSError."""
    try:
        return await link.everywhere("FCALL", function("revision"), 0)
    except ResponseError as error:
        return [error]


def _warnings(default_user: object) -> list[str]:
    """Redis replays its append-only file with the rights of the default user. Where those are
    restricted, several releases drop what functions wrote (valkey-io/valkey issue 3983,
    redis/redis pull request 14545)."""
    words = str(default_user)
    if all(f"'{right}" in words for right in ("+@all", "~*", "&*")):
        return []
    if isinstance(default_user, Exception):
        return ["the rights of Redis's default user could not be read; see docs/redis.md"]
    return [
        (
            "Redis's default user has restricted rights, so that a restart may drop what was "
            "written; run: ACL SETUSER default off resetpass ~* &* +@all (docs/redis.md says why)"
        )
    ]


async def refuse_part_of_cluster(link: Link) -> None:
    """A server in cluster mode takes no call with keys of two slots, even if it has all slots.

    Raises InCluster, or Unavailable if Redis cannot be reached. Where this user may not ask,
    nothing is known and nothing refused.
    """
    if not link.ordered:
        return
    try:
        async with asyncio.timeout(CALL_SECONDS):
            replies = await link.everywhere("INFO", "cluster")
    except ResponseError:
        return
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    if any(isinstance(reply, bytes) and CLUSTER_MODE in reply for reply in replies):
        raise InCluster(
            "this Redis is in cluster mode: let store.url begin with redis+cluster:// "
            "(rediss+cluster:// with TLS), even if there is one server"
        )


async def check_functions(link: Link) -> None:
    """Raises FunctionsMissing, or Unavailable if Redis cannot be reached."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            replies = await _revisions(link)
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    for reply in replies:
        if isinstance(reply, ResponseError) and "Function not found" in str(reply):
            raise FunctionsMissing(
                "Redis does not have this broker's functions; an administrator loads them with: "
                + LOAD_COMMAND
            )
        if isinstance(reply, Exception):
            raise unavailable(reply)
        if reply != FUNCTIONS_REVISION:
            raise FunctionsDiffer(_differing(reply))


def _differing(revision: object) -> str:
    """Loading those of an older broker would take theirs from the newer ones."""
    told = (
        f"Redis has revision {revision} of the functions and this broker needs {FUNCTIONS_REVISION}"
    )
    if isinstance(revision, int) and revision > FUNCTIONS_REVISION:
        return f"{told}: it is older than they are; start the newer version in its place"
    return f"{told}; an administrator loads them with: {LOAD_COMMAND}"


class MetaCell:
    """Where the key slots are (port ``deployment.Cell``): a field of the store's marker."""

    def __init__(self, commands: Commands, field: str = SLOTS_FIELD) -> None:
        self._commands = commands
        self._field = field

    async def read(self) -> bytes | None:
        value: bytes | None = await self._commands.call("HGET", META, self._field)
        return value

    async def swap(self, expected: bytes | None, value: bytes) -> bool:
        words = (self._field, expected or b"", value)
        return bool(await self._commands.call("FCALL", function("swap_meta"), 1, META, *words))


async def recognise(commands: Commands, wrappers: Sequence[KeyWrapper]) -> Deployment:
    """The deployment that a store belongs to; the first broker makes it.

    A store of the version before this one is used as it is: what this version adds does not
    disturb brokers of that one, until ``remint store migrate`` ends their time.
    Raises ForeignStore, SchemaTooNew, CopyUnfinished, WrappingKeyError, Unavailable.
    """
    marker = await commands.call("HMGET", META, "schema", "root-secret", SLOTS_FIELD)
    if not any(marker):
        await commands.call("HSETNX", META, "schema", SCHEMA_VERSION)
        # asked again, since a broker of the version before may have been faster
        marker = await commands.call("HMGET", META, "schema", "root-secret", SLOTS_FIELD)
    version, fingerprint, slots = marker
    legacy = check_version(version) == 1
    if slots is None and fingerprint is None and legacy:
        raise Unavailable("an older broker is making the store; try again when it has started")
    first = None
    if slots is None and fingerprint is not None:
        first = deployment.legacy_key(fingerprint, wrappers)
    found = await deployment.opened(MetaCell(commands), wrappers, first)
    copy_marks.refuse_unfinished(await MetaCell(commands, copy_marks.FIELD).read())
    return found


async def schema_version(commands: Commands) -> int:
    """The version that the store has been brought to; raises SchemaTooNew, Unavailable."""
    return check_version(await commands.call("HGET", META, "schema"))


def check_version(version: bytes | None) -> int:
    """Raises SchemaTooNew, and Unavailable for what is no version."""
    if version is None or not version.isdigit():
        raise Unavailable("the store cannot be read", detail="redis: the store's marker is broken")
    if int(version) > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the store has schema version {int(version)} and this broker knows {SCHEMA_VERSION}; "
            "use the newer broker that wrote it"
        )
    if int(version) < OLDEST_VERSION:
        raise SchemaTooOld(
            f"the store has schema version {int(version)} and this broker needs "
            f"{OLDEST_VERSION} or newer; migrate it with a broker of a version in between"
        )
    return int(version)
