"""A server of a test's own to stand beside another: it numbers its answers.

``python -m tests.bench.fake_peer DELAY RIGHT`` prints its port, and answers each POST after
so many seconds with a number of its own and the request; from answer ``RIGHT`` on with another.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bench.peers import PeerFailed
from bench.process import first_line, started
from bench.target import Likeness, Loaded, WrongAnswer

ALWAYS = 10**9
LIKENESS = Likeness(
    input="a number",
    output="a number",
    client_authentication="none",
    verified="nothing",
    session_writes="none",
    persistence="none",
    signature="none",
    memory_limit="none",
)


@dataclass
class Numbered:
    """A target whose requests are numbers, and whose answers repeat them behind their own."""

    url: str
    first: Iterator[int]
    kind: str = "client-credentials"
    head: Mapping[str, str] = field(default_factory=dict)

    def bodies(self, number: int) -> Iterator[bytes]:
        yield from (b"%d" % next(self.first) for _ in range(number))

    def token(self, answer: bytes) -> str:
        return answer.decode()

    def check(self, body: bytes, answer: bytes) -> str:
        number, _, repeated = answer.partition(b"/")
        if repeated != body:
            raise WrongAnswer("the answer to another request")
        return number.decode()

    async def check_kept(self, answers: list[bytes]) -> None: ...


@dataclass(frozen=True)
class FakePeer:
    """A :class:`bench.peers.Peer`, and in ``running`` our own server as well."""

    name: str
    delay: float = 0.002
    path: str = ""
    right: int = ALWAYS
    requests: tuple[str, ...] = ("jwt-to-es256",)
    likeness: Likeness = LIKENESS
    toolchain: str | None = None
    failure: str | None = None
    version: str = "1.2.3"
    installed: list[Path] = field(default_factory=list)

    def missing(self) -> str | None:
        return self.toolchain

    def install(self, cache: Path) -> None:
        self.installed.append(cache)

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        if self.failure:
            raise PeerFailed(self.failure)
        numbers = iter(range(ALWAYS))
        with started("-m", __name__, str(self.delay), str(self.right)) as process:
            url = f"http://127.0.0.1:{first_line(process)}/{self.path}"
            target = Numbered(url, numbers)
            loaded = Loaded(self.name, target, {"server": process.pid}, self.likeness)
            yield dict.fromkeys(self.requests, loaded)

    def ours(self, folder: Path) -> AbstractContextManager[dict[str, Loaded]]:
        return self.running(folder, folder)


async def _served(delay: float, right: int) -> None:
    answered = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal answered
        body = await request.read()
        await asyncio.sleep(delay)
        answered += 1
        return web.Response(body=b"%d/%b" % (answered, body if answered < right else b"wrong"))

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_served(float(sys.argv[1]), int(sys.argv[2])))
