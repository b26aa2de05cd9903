"""Topics: what a request's says, where answers may go, and what to subscribe to.

A request's topic is ``remint/v1/<realm>/<element>/<operation>/<user>``; a nested realm takes a
level for each of its names, and the root realm is ``root``. A shared subscription cannot say "any
number of levels, then translate", so there is one for each depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.model import instance_id

PREFIX: Final = "remint/v1"
DEAD: Final = f"{PREFIX}/dead"
EVENTS: Final = f"{PREFIX}/events"
REPLIES: Final = f"{PREFIX}/reply"
ANONYMOUS: Final = "anonymous"
ROOT: Final = "root"
GROUP: Final = "remint"  # of the shared subscriptions

MAX_REALM_DEPTH = 8  # as the patterns of examples/mosquitto/acl
MAX_REPLY_TOPIC_BYTES = 512

# What stands in a topic, and the type of message that it is to the others.
OPERATIONS: Final = {
    "translate": "translate",
    "validate": "validate",
    "cancel": "cancel",
    "result": "result",
    "translate_batch": "translate.batch",
}
_RESERVED = frozenset({"dead", "events", "reply"})
_PREFIX_LEVELS = PREFIX.split("/")
_LEVELS_AROUND = len(_PREFIX_LEVELS) + 3  # element, operation, user
_MIN_REPLY_LEVELS = len(REPLIES.split("/")) + 2  # user, and what they call it


@dataclass(frozen=True, slots=True)
class RequestTopic:
    """A request's topic, read. ``user`` is who the message server let publish there."""

    instance: str
    operation: str
    user: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Requests that have a session and a Receive Maximum of their own.

    So a cancel does not wait behind 20,000 translations.
    """

    name: str
    operations: tuple[str, ...]

    def subscriptions(self) -> list[str]:
        """The topic filters of the shared subscriptions."""
        return [
            f"$share/{GROUP}/{PREFIX}/{'+/' * (depth + 1)}{operation}/+"
            for operation in self.operations
            for depth in range(1, MAX_REALM_DEPTH + 1)
        ]


REQUESTS: Final = Lane("", ("translate",))
CONTROL: Final = Lane("-control", ("validate", "cancel", "result"))
BATCHES: Final = Lane("-batch", ("translate_batch",))
LANES: Final = (REQUESTS, CONTROL, BATCHES)


def read(topic: str) -> RequestTopic | None:
    """What a request's topic says; None for a topic that is no request's."""
    levels = topic.split("/")
    if not _is_request(levels):
        return None
    *place, operation, user = levels[len(_PREFIX_LEVELS) :]
    realm, element = place[:-1], place[-1]
    if not (all(place) and user) or realm[0] in _RESERVED:
        return None
    if realm == [ROOT]:
        realm = []
    return RequestTopic(instance_id("/".join(realm), element), OPERATIONS[operation], user)


def reply_allowed(topic: str, user: str) -> bool:
    """Whether answers to a user's requests may go there: a topic below the user's own.

    It must not look like a request's, or answers would come back as such; and the last level must
    not be the user's name, which the message server keeps from everybody for the same reason.
    """
    levels = topic.split("/")
    return (
        topic.startswith(f"{REPLIES}/{user}/")
        and len(levels) >= _MIN_REPLY_LEVELS
        and all(levels)
        and not {"+", "#", "\0"} & set(topic)
        and len(topic.encode(errors="replace")) <= MAX_REPLY_TOPIC_BYTES
        and levels[-1] != user
        and not _is_request(levels)
    )


def _is_request(levels: list[str]) -> bool:
    depth = len(levels) - _LEVELS_AROUND
    return (
        1 <= depth <= MAX_REALM_DEPTH
        and levels[: len(_PREFIX_LEVELS)] == _PREFIX_LEVELS
        and levels[-2] in OPERATIONS
    )
