"""What a request can end in besides its answer.

::

    RemintError
    ├── Refused           the broker said no
    ├── TimedOut          nobody knows: ask again with the same id
    ├── UnexpectedAnswer  a success that holds no token, or not what was asked for
    ├── NotAllowed        the message server will not have this client
    ├── KeysUnavailable   no key to encrypt to
    └── Closed            the client is closed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

NEVER: Final = "never"
SAME_ID: Final = "same-id"
LATER: Final = "later"


class RemintError(Exception):
    """Anything that this client raises."""


class Refused(RemintError):
    """The broker's refusal: final for this request, stored, and the same if asked again.

    ``status`` speaks HTTP's numbers, ``reason`` its phrase, ``message`` is a sentence to act on.
    ``retry`` says what asking again can do: ``never`` helps, ``same-id``, or ``later``.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry: str, detail: Any = None
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry = retry
        self.detail = detail

    @classmethod
    def of(cls, body: Mapping[str, Any], status: int | None = None, retry: str = "") -> Refused:
        """The refusal in an error body; in a batch the body alone says what it is."""
        found = _status(body) if status is None else status
        return cls(
            found,
            str(body.get("reason", "")),
            str(body.get("message", "the answer is no error body")),
            retry or advice(found),
            body.get("detail"),
        )


class TimedOut(RemintError, TimeoutError):
    """No answer in time. The outcome is unknown if ``sent``: a token may have been issued.

    Ask again with ``request_id``: the answer is the same, and there is never a second token.
    ``last`` is the last refusal that asking again could have changed, if there was one.
    """

    def __init__(self, request_id: str, *, sent: bool, last: Refused | None = None) -> None:
        said = (
            f"no answer in time; the outcome is unknown: ask again with request_id={request_id!r}"
            if sent
            else "the message server took no request in time: nothing was asked"
        )
        super().__init__(f"{said} (last heard: {last})" if last else said)
        self.request_id = request_id
        self.sent = sent
        self.last = last


class UnexpectedAnswer(RemintError):
    """The broker said yes, but the answer is not what such a request is answered with."""


class NotAllowed(RemintError):
    """The message server refuses this client: its login, its user name, or its permissions."""


class KeysUnavailable(RemintError):
    """The broker's key set cannot be had, or holds no key to encrypt requests to."""


class Closed(RemintError):
    """The client is closed, or was never opened: use it in ``async with``."""


def advice(status: int) -> str:
    """What asking again can do after ``status``, where the answer does not say so itself."""
    if status >= 500:
        return SAME_ID
    return LATER if status in (408, 429) else NEVER


def _status(body: Mapping[str, Any]) -> int:
    code = body.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else 500
