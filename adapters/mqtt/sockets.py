"""The library's socket in the event loop: read from, or not; written to, but never another's."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client


class Socket:
    """Of one client of paho-mqtt. ``failed`` is called when it cannot be read or written."""

    def __init__(self, paho: Client, failed: Callable[[], None]) -> None:
        self._paho = paho
        self._failed = failed
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._check_before = paho._check_keepalive
        paho._check_keepalive = self._check_keepalive  # type: ignore[method-assign]

    def pause(self) -> None:
        """Read no more, until :meth:`resume`. The server is told all the same that we are there."""
        number = self._number()
        if number is not None and not self._paused:
            self._paused = True
            self._loop.remove_reader(number)

    def resume(self) -> None:
        """Read again."""
        self._excuse_silence()
        paused, self._paused = self._paused, False
        number = self._number()
        if paused and number is not None:
            self._loop.add_reader(number, self._read)

    def register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        """As paho-mqtt calls it, from any thread: there is something to write."""
        self._loop.call_soon_threadsafe(self._add_writer, sock)

    def _check_keepalive(self) -> None:
        """As paho-mqtt calls it: send a ping when one is due, or give a silent server up."""
        self._excuse_silence()
        self._check_before()

    def _excuse_silence(self) -> None:
        """What the server says while we do not read waits unread, its answers to pings too."""
        if self._paused:
            self._paho._ping_t = 0.0
            self._paho._last_bytes_received = time.monotonic()

    def _add_writer(self, sock: Any) -> None:
        """Unless the socket was closed meanwhile: its number may be another's by now."""
        number = self._number()
        if self._paho.socket() is sock and number is not None:
            self._loop.add_writer(number, self._write)

    def _number(self) -> int | None:
        sock = self._paho.socket()
        if sock is None or sock.fileno() < 0:
            return None
        return sock.fileno()

    def _read(self) -> None:
        try:
            self._paho.loop_read()
            while not self._paused and self._decrypted():
                self._paho.loop_read()
        except Exception:
            self._failed()

    def _decrypted(self) -> bool:
        """Whether there is more that no event will tell of, as TLS has taken it off the socket."""
        sock = self._paho.socket()
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def _write(self) -> None:
        try:
            self._paho.loop_write()
        except Exception:
            self._failed()
