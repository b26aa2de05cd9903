"""The client for programs without an event loop: the same methods, which wait.

The client runs in a thread of its own, and may be used by any number of threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from remint_client import client as asynchronous
from remint_client.answers import IssuedToken
from remint_client.client import State
from remint_client.errors import Closed, Refused

T = TypeVar("T")


class RemintClient:
    """See :class:`remint_client.RemintClient`, whose arguments these are. Use it in ``with``."""

    def __init__(self, url: str, **options: Any) -> None:
        self._client = asynchronous.RemintClient(url, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="remint", daemon=True)
        self._thread.start()
        self._loop = loop
        self._wait(self._client.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._wait(self._client.__aexit__(kind, error, trace))
        self._loop = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def translate(
        self, instance: str, input_token_state: State, output_token_state: State, **options: Any
    ) -> IssuedToken:
        """A token for another; options: request_id, timeout, deadline, trace."""
        return self._wait(
            self._client.translate(instance, input_token_state, output_token_state, **options)
        )

    def translate_batch(
        self, instance: str, requests: Sequence[tuple[State, State]], **options: Any
    ) -> list[IssuedToken | Refused]:
        """Up to 1,000 translations; options: request_id, timeout, deadline, trace."""
        return self._wait(self._client.translate_batch(instance, requests, **options))

    def validate(
        self, instance: str, token_state: Mapping[str, Any], *, timeout: float | None = None
    ) -> bool:
        """Whether a token that the instance issued still stands."""
        return self._wait(self._client.validate(instance, token_state, timeout=timeout))

    def cancel(
        self, instance: str, token_state: Mapping[str, Any], *, timeout: float | None = None
    ) -> None:
        """Take a token back."""
        self._wait(self._client.cancel(instance, token_state, timeout=timeout))

    def result(self, request_id: str, *, timeout: float | None = None) -> IssuedToken:
        """The token of an earlier request of this user."""
        return self._wait(self._client.result(request_id, timeout=timeout))

    def batch_result(
        self, request_id: str, *, timeout: float | None = None
    ) -> list[IssuedToken | Refused]:
        """The answers to an earlier batch of this user."""
        return self._wait(self._client.batch_result(request_id, timeout=timeout))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        if loop is None:
            work.close()
            raise Closed("open the client first: with RemintClient(url) as client")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupt ends the work as well
            raise
