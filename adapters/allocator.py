"""What a process no longer uses of the C library's memory goes back to the system.

A password's hash takes 19 MiB for some milliseconds. glibc keeps so much for the next one. That is
right while people log in, since fresh pages would make a hash cost 40 % more, and a waste for the
hours in which nobody does. Kept in one arena it can be given back now and then. Elsewhere than with
glibc nothing is done.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

_library = ctypes.CDLL(None)


def use_one_arena() -> None:
    """Before the first thread starts: only what is free in the first arena can be given back."""
    with contextlib.suppress(AttributeError):
        _library.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Takes a fraction of a millisecond, or some where there is much to give."""
    with contextlib.suppress(AttributeError):
        _library.malloc_trim(0)
