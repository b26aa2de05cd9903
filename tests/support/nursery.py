"""Processes of ours without the second that Python needs to import them: forked, not started.

``python -m tests.support.nursery`` imports what every process of ours imports, and no more: no
thread, no loop, nothing opened. For each :class:`Order` that arrives at its standard input, a
socket, it forks a child that runs the module as ``python -m`` would: in a session of its own, with
the arguments, environment, folder and standard files of the order, and to the interpreter's own
end. ``remint serve --workers`` has its workers in the same way. The nursery ends when its socket
does, and its children with it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from dataclasses import asdict, dataclass

IMPORTED = (
    "adapters.cli",
    "adapters.http.app",
    "adapters.stores.redis",
    "adapters.stores.sqlite",
    "aiohttp.web",
    "uvloop",
)
STANDARD_FILES = 3
MAX_ORDER_BYTES = 256 * 1024
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Order:
    """A process: what ``python -m module *arguments`` would be, there and in that environment."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # what is here stays in pages that the children share
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("an import has started a thread: no process may be forked here")
    orders = socket.socket(fileno=os.dup(0))
    orders.sendall(b"ready")
    order = _serve(orders)
    orders.detach()
    if order is not None:  # this is a child
        sys.argv = [order.module, *order.arguments]
        runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def _serve(orders: socket.socket) -> Order | None:
    """Fork until the socket ends, then None; in a child, its order."""
    children: dict[int, tuple[int, int]] = {}  # by pidfd: the process, and where its status goes
    while True:
        ready = select.poll()
        for descriptor in (orders.fileno(), *children):
            ready.register(descriptor, select.POLLIN)
        for descriptor, _ in ready.poll():
            if descriptor != orders.fileno():
                pid, told = children.pop(descriptor)
                _tell(told, os.waitpid(pid, 0)[1])
                os.close(descriptor)
                continue
            order, files = _received(orders)
            if order is None:
                return None
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                _settle(order, files, parent)
                return order
            orders.sendall(str(pid).encode())
            *standard, told = files
            for file in standard:
                os.close(file)
            children[os.pidfd_open(pid)] = (pid, told)


def _received(orders: socket.socket) -> tuple[Order | None, list[int]]:
    """An order, the standard files of its process, and where to write how it ended."""
    size = array.array("i").itemsize * (STANDARD_FILES + 1)
    data, ancillary, _, _ = orders.recvmsg(MAX_ORDER_BYTES, socket.CMSG_SPACE(size))
    if not data:
        return None, []
    files = array.array("i")
    for _, _, sent in ancillary:
        files.frombytes(sent)
    return Order(**json.loads(data)), list(files)


def _settle(order: Order, files: list[int], parent: int) -> None:
    """Make the child what a started process is: nothing of the nursery's is left but its code."""
    os.setsid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    for number, file in enumerate(files[:STANDARD_FILES]):
        os.dup2(file, number)
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= STANDARD_FILES:
            with contextlib.suppress(OSError):
                os.close(int(name))
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)


def _tell(told: int, status: int) -> None:
    with contextlib.suppress(OSError):  # nobody waits any more
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(told)


def send(orders: socket.socket, order: Order, files: list[int]) -> int:
    """Have a process forked; its id. ``files``: its standard files, and a pipe for its end."""
    data = json.dumps(asdict(order)).encode()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
    orders.sendmsg([data], [rights])
    return int(orders.recv(64))


if __name__ == "__main__":
    main()
