"""URLs of Redis, and the links that they mean.

====================================================  ========================================
``redis://[USER:PASSWORD@]HOST[:PORT][/DB]``          one server
``rediss://…``                                        one server, over TLS
``unix://[USER:PASSWORD@]/PATH[?db=DB]``              one server, through its socket
``redis+sentinel://[…@]HOST:PORT,HOST:PORT/NAME[/DB]``  the primary that Sentinels know by NAME
``redis+cluster://[…@]HOST:PORT,HOST:PORT``           a cluster
====================================================  ========================================

``rediss+sentinel`` and ``rediss+cluster`` are the last two over TLS. With TLS, ``?ssl_ca_certs``,
``?ssl_certfile`` and ``?ssl_keyfile`` name PEM files; the server's certificate is always checked.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from adapters.stores.redis_cluster import ClusterLink
from adapters.stores.redis_links import Link, ServerLink

REDIS_PORT = 6379
SENTINEL_PORT = 26379
TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
SENTINEL_LOGIN = frozenset({"sentinel_username", "sentinel_password"})
SCHEMES = frozenset(
    {
        "redis",
        "rediss",
        "unix",
        "redis+sentinel",
        "rediss+sentinel",
        "redis+cluster",
        "rediss+cluster",
    }
)


@dataclass(frozen=True, slots=True)
class _Parts:
    hosts: list[tuple[str, int]]
    path: list[str]
    options: Mapping[str, str]
    arguments: dict[str, Any]


def is_redis(url: str) -> bool:
    return url.partition("://")[0] in SCHEMES


def link_to(url: str, replicas: int = 0) -> Link:
    """The link that a URL means; it connects with its first command.

    ``replicas`` is how many of them must have a write before its caller hears of it.

    Raises ValueError with a sentence that does not repeat the URL, which may hold a password.
    """
    scheme, separator, _ = url.partition("://")
    if scheme not in SCHEMES or not separator:
        raise ValueError(f"a Redis URL starts with one of {', '.join(sorted(SCHEMES))}")
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("a Redis URL has no fragment; write # as %23")
    if scheme == "unix":
        return _socket_link(parts, replicas)
    if scheme.endswith("+sentinel"):
        return _sentinel_link(parts, replicas)
    if scheme.endswith("+cluster"):
        return _cluster_link(parts, replicas)
    return _server_link(parts, replicas)


def _server_link(parts: SplitResult, replicas: int) -> Link:
    read = _read(parts, REDIS_PORT)
    if len(read.hosts) != 1 or len(read.path) > 1:
        raise ValueError("a redis:// URL names one host and at most a database")
    ((host, port),) = read.hosts
    kind = SSLConnection if parts.scheme == "rediss" else Connection
    database = _database(read.path[0]) if read.path else 0
    pool = ConnectionPool(kind, host=host, port=port, db=database, **read.arguments)
    return ServerLink(Redis.from_pool(pool), replicas=replicas)


def _socket_link(parts: SplitResult, replicas: int) -> Link:
    options = _options(parts, frozenset({"db"}))
    path = unquote(parts.path)
    if not path.startswith("/") or "\0" in path or parts.netloc.rpartition("@")[2]:
        raise ValueError("a unix:// URL needs the absolute path of a socket")
    common = {name: value for name, value in _COMMON.items() if name != "socket_keepalive"}
    database = _database(options.get("db", "0"))
    arguments: dict[str, Any] = {"path": path, "db": database, **_login(parts), **common}
    pool = ConnectionPool(UnixDomainSocketConnection, **arguments)
    return ServerLink(Redis.from_pool(pool), replicas=replicas)


def _sentinel_link(parts: SplitResult, replicas: int) -> Link:
    read = _read(parts, SENTINEL_PORT, SENTINEL_LOGIN)
    if not 1 <= len(read.path) <= 2:
        raise ValueError("a sentinel URL names the service after the hosts: HOST:PORT,…/NAME")
    tls = parts.scheme.startswith("rediss")
    own = {
        name.removeprefix("sentinel_"): read.options[name]
        for name in SENTINEL_LOGIN
        if name in read.options
    }
    shared = {name: value for name, value in read.arguments.items() if name.startswith("ssl_")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py's
        read.hosts, sentinel_kwargs={**_COMMON, **shared, **own, "ssl": tls}, **_COMMON
    )
    client = sentinel.master_for(
        read.path[0],
        db=_database(read.path[1]) if len(read.path) == 2 else 0,
        ssl=tls,
        **read.arguments,
    )
    return ServerLink(client, sentinel.sentinels, replicas)


def _cluster_link(parts: SplitResult, replicas: int) -> Link:
    read = _read(parts, REDIS_PORT)
    if read.path:
        raise ValueError("a cluster has no databases; end the URL after the hosts")
    client = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in read.hosts],
        ssl=parts.scheme.startswith("rediss"),
        **read.arguments,
    )
    return ClusterLink(client, replicas)


# Deadlines are kept in one place (redis_commands), which also decides what is tried again. RESP2,
# because a reply then has the same form on every version. No driver_info, because telling it takes
# a command that Redis 7.0 does not know.
_COMMON: Mapping[str, Any] = {
    "socket_timeout": None,
    "socket_connect_timeout": None,
    "socket_keepalive": True,
    "protocol": 2,
    "decode_responses": False,
    "driver_info": None,
    "retry": Retry(NoBackoff(), 0),
}


def _read(
    parts: SplitResult, default_port: int, more_options: frozenset[str] = frozenset()
) -> _Parts:
    tls = parts.scheme.startswith("rediss")
    options = _options(parts, more_options | (TLS_OPTIONS if tls else frozenset()))
    arguments: dict[str, Any] = {**_COMMON, **_login(parts)}
    if tls:
        arguments |= {name: options[name] for name in TLS_OPTIONS if name in options}
        arguments["ssl_min_version"] = ssl.TLSVersion.TLSv1_2
    hosts = [_address(host, default_port) for host in parts.netloc.rpartition("@")[2].split(",")]
    path = [unquote(part) for part in parts.path.split("/") if part]
    return _Parts(hosts, path, options, arguments)


def _address(text: str, default_port: int) -> tuple[str, int]:
    try:
        split = urlsplit(f"//{text}")
        host, port = split.hostname, split.port
    except ValueError:
        raise ValueError("a Redis URL has a port that is not a number") from None
    if not host:
        raise ValueError("a Redis URL names its host")
    return host, port or default_port


def _login(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _options(parts: SplitResult, known: frozenset[str]) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= known:
        names = ", ".join(sorted(known)) or "none"
        raise ValueError(f"a Redis URL of this kind takes these options, once each: {names}")
    return options


def _database(text: str) -> int:
    if not text.isdecimal() or len(text) > 5:
        raise ValueError("a Redis database is a number")
    return int(text)
