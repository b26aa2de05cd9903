"""Servers of others beside ours: installed, started, compared, one peer after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench.driver.processes import DriverFailed
from bench.pair import Compared, Ended, Side, Sizes, in_turn
from bench.peers import Peer, PeerFailed
from bench.processes import NotHere
from bench.report.blocks import Block
from bench.report.console import show
from bench.report.markup import markdown
from bench.report.pairs import blocks
from bench.result import Run, write
from bench.served import NotServed
from bench.target import Loaded, NotPrepared

PAGE = "side-by-side.md"
FAILURES = (PeerFailed, NotServed, NotPrepared, NotHere, DriverFailed, Ended)
"""What ends one comparison, and not those that come after it."""

Ours = Callable[[Path], AbstractContextManager[Mapping[str, Loaded]]]
"""Starts our server; the folder takes what it writes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared."""

    peers: Mapping[str, Peer]
    """By the names of their folders."""
    cache: Path
    """Where peers are installed."""
    out: Path
    """A folder for each peer, in it one for each request, in it a document for each run."""
    requests: Sequence[str] = ()
    """Names of ``bench.peers.REQUESTS``; empty for all that both servers can be asked."""
    sizes: Sizes = field(default_factory=Sizes)


class SideBySide:
    """One command."""

    def __init__(self, plan: Plan, ours: Ours, out: Console, err: Console) -> None:
        """Tables go to ``out``, what happens now and what went wrong to ``err``."""
        self._plan, self._ours, self._out, self._err = plan, ours, out, err
        self._page: list[Block] = []
        self.compared: list[Compared] = []

    def measured(self) -> bool:
        """Whether something was compared and nothing failed.

        A peer without its toolchain is skipped; one that fails is named, and the next begins. A
        wrong answer ends what is compared then. Raises Stopped, Missing, OSError.
        """
        complete = True
        for name, peer in self._plan.peers.items():
            if missing := peer.missing():
                self._say(f"{name}: skipped: {missing}")
                continue
            complete &= self._peer(name, peer)
        return complete and bool(self.compared)

    def _peer(self, name: str, peer: Peer) -> bool:
        try:
            with self._busy(f"{name}: installing {peer.version}, which takes minutes once"):
                peer.install(self._plan.cache)
            with self._both(name, peer) as (ours, theirs):
                return self._requests(name, peer, ours, theirs)
        except FAILURES as failure:
            self._say(f"{name}: not compared: {failure}")
            return False

    @contextlib.contextmanager
    def _both(
        self, name: str, peer: Peer
    ) -> Iterator[tuple[Mapping[str, Loaded], Mapping[str, Loaded]]]:
        """Both servers up, each with a folder of its own, which is gone at the end with them."""
        with contextlib.ExitStack() as stack:
            folders = [
                Path(stack.enter_context(TemporaryDirectory(prefix="remint-bench-")))
                for _ in range(2)
            ]
            with self._busy(f"{name}: starting"):
                ours = stack.enter_context(self._ours(folders[0]))
                theirs = stack.enter_context(peer.running(self._plan.cache, folders[1]))
            yield ours, theirs

    def _requests(
        self, name: str, peer: Peer, ours: Mapping[str, Loaded], theirs: Mapping[str, Loaded]
    ) -> bool:
        wanted = self._plan.requests or [request for request in ours if request in theirs]
        complete = True
        for request in wanted:
            if request not in ours or request not in theirs:
                self._say(f"{name}: left out: the servers cannot both be asked for {request}")
                continue
            sides = (Side(ours[request]), Side(theirs[request], peer.version))
            try:
                self._compare(name, request, sides)
            except FAILURES as failure:
                self._say(f"{name}, {request}: not compared: {failure}")
                complete = False
        return complete

    def _compare(self, name: str, request: str, sides: tuple[Side, Side]) -> None:
        folder = self._plan.out / name / request

        def keep(number: int, at: int, run: Run) -> None:
            """In the order of their names the runs alternate, as ``compare`` wants them."""
            side = "ab"[at]
            write(folder / f"{number:02}-{side}-{'remint' if not at else name}.json", run)

        found = in_turn(request, sides, self._plan.sizes, keep, self._say)
        self.compared.append(found)
        told = list(blocks(found))
        show(told, self._out)
        self._page += told
        (self._plan.out / PAGE).write_text(markdown(self._page), encoding="utf-8")

    @contextlib.contextmanager
    def _busy(self, words: str) -> Iterator[None]:
        """A line, and where there is a terminal a sign that something goes on."""
        self._say(words)
        with self._err.status(words):
            yield

    def _say(self, words: str) -> None:
        self._err.print(words, markup=False, highlight=False, soft_wrap=True)
