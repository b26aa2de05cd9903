"""Log lines, and events as log lines.

Logs go to standard error. A value that carries a secret never gets here: secrets are ``Secret``
objects, which show nothing.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict
from typing import Any, Literal

import structlog

from adapters.telemetry.personal import Display
from broker.events import Event
from broker.model import Announcement

_log = structlog.get_logger(__name__)

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class StandardError:
    """Writes log lines to whatever standard error is at that moment.

    A line that cannot be written is lost: a log that fails must not fail the request it tells of.
    """

    def __init__(self, *_: object) -> None:
        """structlog hands in what a logger was asked for by; nothing here depends on it."""

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    log = debug = info = warn = warning = error = critical = exception = fatal = msg


_display = Display()


def show(display: Display) -> None:
    """Name people so from here on; who hashes needs a key that is known once the store is open."""
    global _display  # logging is the process's
    _display = display


def _hidden(
    logger: object,  # noqa: ARG001  # structlog hands it in
    method: str,  # noqa: ARG001  # likewise
    members: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    if not _display.full:
        _display.hide(members)
    return members


def configure(level: str, format: Literal["console", "json"]) -> None:
    """Set up structlog and the standard library's logging for this process."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _hidden,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=StandardError,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=LEVELS["warning"], stream=sys.stderr, format="%(message)s")


class EventLog:
    """An ``EventSink`` that writes each event as a log line of level debug.

    ``enabled`` is False where such lines are dropped anyway: taking an event apart costs more than
    a request can spare for nothing.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled

    @property
    def listening(self) -> bool:
        """Whether anybody reads the lines."""
        return self._enabled

    def prepare(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement | None:
        self._write(event)
        return None

    def announce(self, announcement: Announcement | None) -> None:
        """Nothing is left to do: the line was written when the event was prepared."""

    async def publish(self, event: Event) -> None:
        self._write(event)

    def _write(self, event: Event) -> None:
        if self._enabled:
            _log.debug(type(event).__name__, **asdict(event))
