"""Failures that are no Exception: a request that ends in one is answered and audited all the same.

A panic of a library written in Rust arrives as a BaseException of the library's own. It says that
one call failed, and nothing of the process.
"""

from __future__ import annotations

from asyncio import CancelledError

ENDS_MORE = (CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a task or the process, and is never a request's to handle."""


class Panicked(Exception):
    """A failure outside the tree of Exception; the text is its class, and its place is kept."""


def failure_of(error: BaseException) -> Exception:
    """What was caught, as a failure to handle. What ends a task or the process is raised on."""
    if isinstance(error, Exception):
        return error
    if isinstance(error, ENDS_MORE):
        raise error
    return Panicked(type(error).__name__).with_traceback(error.__traceback__)
