"""A process that shows what it was given, or ends as it is told: ``python -m tests.support.shown``.

It is there for the test of how processes are started.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys


def main(said: str) -> None:
    if said == "exit-3":
        sys.exit(3)
    if said == "fail":
        raise RuntimeError("failed")
    if said == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "wait":
        signal.pause()
    if said == "random":
        print(random.random())  # noqa: S311, T201  # nothing secret, and standard output
        return
    handlers = {number.name: str(signal.getsignal(number)) for number in signal.Signals}
    shown = {
        "arguments": sys.argv[1:],
        "program": os.path.basename(sys.argv[0]),
        "name": __name__,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "given": sys.stdin.read(),
        "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "leads": os.getsid(0) == os.getpid(),
        "handlers": handlers,
        "blocked": [number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "tasks": len(os.listdir("/proc/self/task")),
        "optimize": sys.flags.optimize,
    }
    print(json.dumps(shown))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
