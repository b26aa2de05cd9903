"""The door to the store in Redis: are the functions there, and may this broker come in?"""

from __future__ import annotations

import asyncio
import hmac
from importlib import resources

from redis.exceptions import RedisError, ResponseError

from adapters.stores import ForeignStore, SchemaTooNew, StoreRefused
from adapters.stores.redis_commands import CALL_SECONDS, Commands, unavailable
from adapters.stores.redis_keys import META
from adapters.stores.redis_links import Link
from adapters.stores.redis_urls import link_to
from broker.errors import Unavailable

SCHEMA_VERSION = 1
"""Of keys and values. The function library has this number in its name, so that brokers of two
versions can work on one Redis while the one replaces the other."""

FUNCTIONS_REVISION = 1
"""Of the library of this schema version, as redis_functions.lua says it."""

FUNCTIONS_FILE = "redis_functions.lua"
LOAD_SECONDS = 10.0
LOAD_COMMAND = "remint store load-functions URL"


class FunctionsMissing(StoreRefused):
    """The functions of this version are not loaded into Redis."""


class FunctionsDiffer(FunctionsMissing):
    """Redis has another revision of them; which of the two is newer is for people to say."""


def function(name: str) -> str:
    """The full name of a function of ours."""
    return f"remint_{SCHEMA_VERSION}_{name}"


async def load_functions(url: str) -> list[str]:
    """Load the function library into every server behind ``url``, over an older revision of it.

    The URL's user needs ``FUNCTION LOAD``, which the broker's does not. What it can see of the
    server and should be put right comes back as sentences, for people to read.

    Raises ValueError for a URL it cannot read, and Unavailable if Redis cannot be reached or
    refuses.
    """
    link = link_to(url)
    source = resources.files("adapters.stores").joinpath(FUNCTIONS_FILE).read_text("utf-8")
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            for reply in await link.everywhere("FUNCTION", "LOAD", "REPLACE", source):
                if isinstance(reply, Exception):
                    raise unavailable(reply)
            users = await link.everywhere("ACL", "GETUSER", "default")
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await link.close()
    return sorted({warning for user in users for warning in _warnings(user)})


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


async def check_functions(link: Link) -> None:
    """Raises FunctionsMissing, or Unavailable if Redis cannot be reached."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            replies = await link.everywhere("FCALL", function("revision"), 0)
    except ResponseError as error:
        replies = [error]
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
            raise FunctionsDiffer(
                f"Redis has revision {reply} of the functions and this broker needs "
                f"{FUNCTIONS_REVISION}; an administrator loads them with: {LOAD_COMMAND}"
            )


async def recognise(commands: Commands, fingerprint: bytes) -> None:
    """The first broker leaves the fingerprint of its root secret; others must have the same.

    Raises ForeignStore, SchemaTooNew, Unavailable.
    """
    _, _, (version, known) = await commands.calls(
        [
            ("HSETNX", META, "schema", SCHEMA_VERSION),
            ("HSETNX", META, "root-secret", fingerprint),
            ("HMGET", META, "schema", "root-secret"),
        ]
    )
    if not isinstance(version, bytes) or not version.isdigit() or known is None:
        raise Unavailable("the store cannot be read", detail="redis: the store's marker is broken")
    if int(version) > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the store has schema version {int(version)} and this broker knows {SCHEMA_VERSION}; "
            "use the newer broker that wrote it"
        )
    if not hmac.compare_digest(known, fingerprint):
        raise ForeignStore(
            "the store was written with another root secret; give this broker the same one"
        )
