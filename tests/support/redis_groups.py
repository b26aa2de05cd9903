"""Several Redis servers that belong together: a cluster, and a primary watched by Sentinels."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.support.ports import check_ports, check_unbound, free_port, on_free_ports
from tests.support.redis_server import (
    ADMINISTRATOR,
    ADMINISTRATOR_PASSWORD,
    PROGRAM,
    RedisServer,
    a_folder,
    said,
    spawn,
    wait_until,
)

PRIMARIES = 3
REPLICAS = 2
SENTINELS = 3
SERVICE = "tokens"


class RedisCluster:
    """Three primaries that share the slots."""

    def __init__(self, folder: Path, rules: str) -> None:
        self.servers = [
            RedisServer(
                folder / f"node-{number}",
                rules,
                cluster_enabled="yes",
                cluster_node_timeout="2000",
                cluster_port=str(free_port()),
            )
            for number in range(PRIMARIES)
        ]

    @property
    def url(self) -> str:
        return self._url(self.servers[0].login)

    @property
    def administrator_url(self) -> str:
        return self._url(f"{ADMINISTRATOR}:{ADMINISTRATOR_PASSWORD}")

    def start(self) -> None:
        for server in self.servers:
            server.start()
        names = [f"127.0.0.1:{server.port}" for server in self.servers]
        self.servers[0].cli("--cluster", "create", *names, "--cluster-yes")
        for server in self.servers:
            wait_until(partial(_joined, server), server.log)

    def flush(self) -> None:
        for server in self.servers:
            server.cli("FLUSHALL")

    def _url(self, login: str) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{login}@{hosts}"


class WatchedRedis:
    """A primary, two replicas, and three Sentinels who agree on which one is the primary."""

    def __init__(self, folder: Path, rules: str) -> None:
        self._folder = folder
        secrets = {"masteruser": ADMINISTRATOR, "masterauth": ADMINISTRATOR_PASSWORD}
        self.primary = RedisServer(folder / "primary", rules, **secrets)
        self.replicas = [
            RedisServer(
                folder / f"replica-{number}",
                rules,
                replicaof=f"127.0.0.1 {self.primary.port}",
                repl_diskless_sync_delay="0",
                **secrets,
            )
            for number in range(REPLICAS)
        ]
        self.ports = [free_port() for _ in range(SENTINELS)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return self._url(self.primary.login)

    @property
    def administrator_url(self) -> str:
        return self._url(f"{ADMINISTRATOR}:{ADMINISTRATOR_PASSWORD}")

    def start(self) -> None:
        self.primary.start(repl_diskless_sync_delay="0")
        for replica in self.replicas:
            replica.start()
            wait_until(partial(_linked, replica), replica.log)
        check_unbound(*self.ports)
        for number, port in enumerate(self.ports):
            folder = self._folder / f"sentinel-{number}"
            folder.mkdir()
            (folder / "sentinel.conf").write_text(self._configuration(port))
            self._sentinels.append(spawn(folder, PROGRAM, "sentinel.conf", "--sentinel"))
        for port in self.ports:
            wait_until(partial(self._knows_all, port), self._said_by_sentinels)

    def stop(self) -> None:
        for process in self._sentinels:
            process.kill()
            process.wait()
        for server in (self.primary, *self.replicas):
            server.kill()

    def flush(self) -> None:
        self.primary.cli("FLUSHALL")

    def hold_replicas_back(self) -> None:
        """From here on no replica hears what is written, until ``let_replicas_follow``."""
        for replica in self.replicas:
            replica.cli("CONFIG", "SET", "masterauth", "wrong")
        self.primary.cli("CLIENT", "KILL", "TYPE", "replica")

    def let_replicas_follow(self) -> None:
        for replica in self.replicas:
            replica.cli("CONFIG", "SET", "masterauth", ADMINISTRATOR_PASSWORD)

    def another_named(self) -> float:
        """Returns once a Sentinel names another primary: the moment, of the monotonic clock."""
        ask = f"SENTINEL GET-MASTER-ADDR-BY-NAME {SERVICE}\r\n".encode()
        old = str(self.primary.port).encode()

        def another(port: int) -> bool:
            address = said(port, ask)
            return address.startswith(b"*2") and old not in address

        wait_until(lambda: any(another(port) for port in self.ports), self.primary.log)
        return time.monotonic()

    def _said_by_sentinels(self) -> str:
        logs = self._folder.glob("sentinel-*/output.log")
        return "".join(log.read_text(errors="replace") for log in logs)

    def _knows_all(self, port: int) -> bool:
        if any(process.poll() is not None for process in self._sentinels):
            check_ports(self._said_by_sentinels())
        text = said(port, f"SENTINEL MASTER {SERVICE}\r\n".encode())
        words = text.replace(b"\r\n", b"\n").split(b"\n")
        pairs = dict(zip(words[2::4], words[4::4], strict=False))
        return (
            pairs.get(b"num-slaves") == str(REPLICAS).encode()
            and pairs.get(b"num-other-sentinels") == str(SENTINELS - 1).encode()
        )

    def _configuration(self, port: int) -> str:
        return (
            f"port {port}\nbind 127.0.0.1\nprotected-mode no\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} 2\n"
            f"sentinel auth-user {SERVICE} {ADMINISTRATOR}\n"
            f"sentinel auth-pass {SERVICE} {ADMINISTRATOR_PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )

    def _url(self, login: str) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{login}@{hosts}/{SERVICE}"


@on_free_ports
@contextmanager
def running_cluster(rules: str) -> Iterator[RedisCluster]:
    """A started cluster; processes and folder are gone afterwards, whatever happened."""
    with a_folder() as folder:
        cluster = RedisCluster(folder, rules)
        try:
            cluster.start()
            yield cluster
        finally:
            for server in cluster.servers:
                server.kill()


@on_free_ports
@contextmanager
def running_sentinels(rules: str) -> Iterator[WatchedRedis]:
    """Started servers and Sentinels; all are gone afterwards, whatever happened."""
    with a_folder() as folder, contextlib.ExitStack() as stack:
        watched = WatchedRedis(folder, rules)
        stack.callback(watched.stop)
        watched.start()
        yield watched


def _joined(server: RedisServer) -> bool:
    return "cluster_state:ok" in server.cli("CLUSTER", "INFO")


def _linked(replica: RedisServer) -> bool:
    return "master_link_status:up" in replica.cli("INFO", "replication")
