"""A timer that fires within microseconds: event loops round theirs to a millisecond."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_EXPIRATIONS = 8  # bytes of the counter that timerfd gives


class _Itimerspec(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_long)
        for name in ("interval_seconds", "interval_nanos", "value_seconds", "value_nanos")
    )


class FineTimer:
    """Calls ``due`` at a time of ``time.monotonic()``; timerfd_create(2) where there is that."""

    def __init__(self, due: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._due = due
        self._coarse: asyncio.TimerHandle | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = -1
        if hasattr(self._libc, "timerfd_create"):
            self._file = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._file >= 0:
            self._loop.add_reader(self._file, self._fired)
            self._spec = _Itimerspec()
            self._at = ctypes.byref(self._spec)

    def at(self, moment: float) -> None:
        """Fire once at this moment, or now if it is over; replaces what was set before."""
        if self._file < 0:
            self._at_coarsely(moment)
            return
        fraction, whole = math.modf(max(moment, 1e-9))  # zero would switch it off
        self._spec.value_seconds, self._spec.value_nanos = int(whole), int(fraction * 1e9)
        self._libc.timerfd_settime(self._file, _TFD_TIMER_ABSTIME, self._at, None)

    def close(self) -> None:
        if self._coarse:
            self._coarse.cancel()
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _at_coarsely(self, moment: float) -> None:
        if self._coarse:
            self._coarse.cancel()
        self._coarse = self._loop.call_later(max(0.0, moment - time.monotonic()), self._due)

    def _fired(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._file, _EXPIRATIONS)
        self._due()
