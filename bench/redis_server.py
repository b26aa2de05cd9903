"""A redis-server of the bench's own: a free port of 127.0.0.1, a temporary folder, then nothing."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from bench.case import Missing
from bench.ports import free_port
from bench.process import running

START_SECONDS = 20.0
PAUSE_SECONDS = 0.02

SETTINGS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "always",  # as docs/redis.md asks for
    "auto-aof-rewrite-percentage": "0",  # a rewrite in the midst of a round would be measured
    "save": "",
    "loglevel": "warning",
}


class RedisMissing(Missing):
    """There is no redis-server to measure."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    port: int
    pid: int
    admin: Redis

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def memory(self) -> int:
        """Bytes that its data takes, and what Redis needs to keep them."""
        return int(self.admin.info("memory")["used_memory"])


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """An empty server; raises RedisMissing."""
    program = shutil.which("redis-server")
    if program is None:
        raise RedisMissing("there is no redis-server here: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="remint-bench-") as folder:
        port = free_port()
        settings = {"port": str(port), "dir": folder, **SETTINGS}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with running(program, *words) as process, Redis(port=port) as admin:
            _wait_for(admin)
            yield RedisServer(port, process.pid, admin)


def _wait_for(admin: Redis) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            admin.ping()
        except RedisError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
