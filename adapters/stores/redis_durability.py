"""What a Redis is worth: whether it keeps what it has acknowledged, as it says itself.

A broker's user may ask ``INFO`` and not ``CONFIG``, which shows passwords. What ``INFO`` leaves out
(``appendfsync``) was noted in the store's marker by the administrator's ``remint store
load-functions``, and is as old as that; where the user may ask, ``CONFIG GET`` is asked.

Of several primaries the weakest counts.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from redis.exceptions import ResponseError

from adapters.stores.condition import Durability
from adapters.stores.redis_keys import META
from adapters.stores.redis_links import Link

UNKNOWN = "unknown"
SOME = "1 or more"
NOTE_FIELD = "durability"
"""Of the store's marker: what an administrator's user could see."""

SECTIONS = ("persistence", "memory", "replication")
NOTED = ("appendfsync", "min-replicas-to-write")
SHOWN = (
    "appendonly",
    "appendfsync",
    "aof_last_write_status",
    "rdb_last_bgsave_status",
    "maxmemory",
    "maxmemory-policy",
    "role",
    "connected_replicas",
    "min-replicas-to-write",
)

Facts = dict[str, str]

HIDDEN = (
    "Redis does not say how it keeps its data: let the broker's user ask with +info "
    "(docs/redis.md has all its rights)"
)
NO_AOF = (
    "appendonly is no: a restart loses what came after the last snapshot, and a token that was "
    "cancelled since is valid again; set appendonly yes"
)
AOF_FAILS = (
    "Redis could not write its append-only file (aof_last_write_status): look for the reason in "
    "its log, such as a full disk"
)
SYNC_UNKNOWN = (
    "appendfsync is unknown, since the broker's user may not ask: run `remint store "
    "load-functions` as an administrator, who notes it"
)
WEAK_SYNC = (
    "appendfsync is {}: a loss of power loses what was acknowledged last, and a token that was "
    "cancelled then is valid again; set appendfsync always"
)
EVICTS = (
    "maxmemory-policy is {}: when memory is short, tokens and sessions vanish; set "
    "maxmemory-policy noeviction"
)
UNSAVED = "Redis could not write its last snapshot (rdb_last_bgsave_status); its log says why"
NOT_PRIMARY = "the server is a replica and takes no writes; name the primary in store.url"
FAIL_OVER = (
    "a fail-over may lose the last writes: set min-replicas-to-write 1 in Redis, and "
    "store.wait_replicas"
)
TOO_FEW = (
    "{} replicas are connected and store.wait_replicas asks for {}: every write is refused until "
    "there are as many"
)


async def durability_of(link: Link, wait_replicas: int = 0) -> Durability:
    """What the servers behind ``link`` say. Raises RedisError or OSError."""
    servers = await _facts(link)
    noted: Facts = {}
    if all(facts["appendfsync"] == UNKNOWN for facts in servers):
        noted = await _note(link)
    for facts in servers:
        facts["appendfsync"] = noted.get("appendfsync", facts["appendfsync"])
        if facts["min-replicas-to-write"] == SOME and noted.get("min-replicas-to-write") != "0":
            facts["min-replicas-to-write"] = noted.get("min-replicas-to-write", SOME)
    settings = {name: _weakest(name, servers) for name in SHOWN}
    if "noted_at" in noted:
        settings["noted_at"] = noted["noted_at"]
    weaknesses = (weakness for facts in servers for weakness in _weaknesses(facts))
    warnings = (each for facts in servers for each in _warnings(facts, wait_replicas))
    return Durability(
        settings,
        warnings=tuple(dict.fromkeys(warnings)),
        weaknesses=tuple(dict.fromkeys(weaknesses)),
        replicated=True,
    )


async def note(link: Link) -> None:
    """Write down what this user can see, for users who cannot. Raises RedisError or OSError."""
    seen = [facts for facts in await _facts(link) if facts["appendfsync"] != UNKNOWN]
    if seen:
        noted = {name: _weakest(name, seen) for name in NOTED}
        noted["noted_at"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        (reply,) = await link.run([("HSET", META, NOTE_FIELD, orjson.dumps(noted))])
        if isinstance(reply, Exception):
            raise reply


def _weaknesses(facts: Facts) -> Iterator[str]:
    """Why an acknowledged write may be lost, as sentences."""
    if facts["appendonly"] == UNKNOWN:
        yield HIDDEN
        return
    if facts["appendonly"] != "yes":
        yield NO_AOF
    elif facts["appendfsync"] == UNKNOWN:
        yield SYNC_UNKNOWN
    elif facts["appendfsync"] != "always":
        yield WEAK_SYNC.format(facts["appendfsync"])
    if facts["aof_last_write_status"] not in ("ok", UNKNOWN):
        yield AOF_FAILS
    if facts["maxmemory"] != "0" and facts["maxmemory-policy"] != "noeviction":
        yield EVICTS.format(facts["maxmemory-policy"])


def _warnings(facts: Facts, wait_replicas: int) -> Iterator[str]:
    if facts["rdb_last_bgsave_status"] not in ("ok", UNKNOWN):
        yield UNSAVED
    if facts["role"] not in ("master", UNKNOWN):
        yield NOT_PRIMARY
    replicas = facts["connected_replicas"]
    if not replicas.isdigit():
        return
    if int(replicas) < wait_replicas:
        yield TOO_FEW.format(replicas, wait_replicas)
    if int(replicas) > 0 and facts["min-replicas-to-write"] == "0":
        yield FAIL_OVER


async def _facts(link: Link) -> list[Facts]:
    """Of each primary."""
    info = [await _asked(link, "INFO", section) for section in SECTIONS]
    config = [await _asked(link, "CONFIG", "GET", name) for name in NOTED]
    servers = max(len(replies) for replies in (*info, *config))
    return [
        _server_facts(_of(at, info, _info), _of(at, config, _pairs))
        for at in range(max(1, servers))
    ]


async def _asked(link: Link, *command: str) -> list[object]:
    """A reply of each server; none where this user may not ask."""
    try:
        return await link.everywhere(*command)
    except ResponseError:
        return []


def _of(at: int, columns: list[list[object]], read: Callable[[object], Facts]) -> Facts:
    """All that one server said."""
    facts: Facts = {}
    for replies in columns:
        if at < len(replies):
            facts |= read(replies[at])
    return facts


def _server_facts(info: Facts, config: Facts) -> Facts:
    facts = {
        "appendonly": {"0": "no", "1": "yes"}.get(info.get("aof_enabled", ""), UNKNOWN),
        "appendfsync": config.get("appendfsync", UNKNOWN),
        "maxmemory-policy": info.get("maxmemory_policy", UNKNOWN),
        "connected_replicas": info.get("connected_slaves", UNKNOWN),
        "min-replicas-to-write": config.get("min-replicas-to-write", _asks_for_replicas(info)),
    }
    for name in ("aof_last_write_status", "rdb_last_bgsave_status", "maxmemory", "role"):
        facts[name] = info.get(name, UNKNOWN)
    return facts


def _asks_for_replicas(info: Facts) -> str:
    """Redis counts its good replicas only if a write depends on them."""
    if "role" not in info:
        return UNKNOWN
    return SOME if "min_slaves_good_slaves" in info else "0"


async def _note(link: Link) -> Facts:
    (reply,) = await link.run([("HGET", META, NOTE_FIELD)])
    if not isinstance(reply, bytes):
        return {}
    try:
        noted = orjson.loads(reply)
    except ValueError:
        return {}
    return _texts(noted) if isinstance(noted, dict) else {}


def _weakest(name: str, servers: Sequence[Facts]) -> str:
    """The worst of them, so that one server cannot hide behind the others."""
    return min((facts[name] for facts in servers), key=lambda value: _strength(name, value))


def _strength(name: str, value: str) -> float:
    if value in WORST:
        return WORST.index(value)
    number = value.partition(" ")[0]
    if number.isdigit():
        return -int(number) if name == "maxmemory" else len(WORST) + int(number)
    return math.inf if value in BEST else len(WORST)


WORST = ("no", "err", "slave", "everysec", UNKNOWN)
"""Values that are worse than all others, the worst first."""

BEST = frozenset({"always", "master", "noeviction", "ok", "yes"})


def _info(reply: object) -> Facts:
    """A section of ``INFO``, as text or as redis-py takes it apart."""
    if isinstance(reply, dict):
        return _texts(reply)
    if not isinstance(reply, bytes):
        return {}
    lines = reply.decode("utf-8", "replace").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines) if value}


def _pairs(reply: object) -> Facts:
    """What ``CONFIG GET`` says, as a flat list or as redis-py makes a dictionary of it."""
    if isinstance(reply, dict):
        return _texts(reply)
    if not isinstance(reply, list):
        return {}
    return dict(zip(map(_text, reply[::2]), map(_text, reply[1::2]), strict=True))


def _texts(pairs: Mapping[object, object]) -> Facts:
    return {_text(name): _text(value) for name, value in pairs.items()}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
