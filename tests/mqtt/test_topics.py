"""What a topic says, and where answers may go."""

from __future__ import annotations

import pytest

from adapters.mqtt.topics import LANES, OPERATIONS, RequestTopic, read, reply_allowed


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("remint/v1/root/e/translate/u", RequestTopic("e", "translate", "u")),
        ("remint/v1/fred/e/cancel/u", RequestTopic("fred/e", "cancel", "u")),
        ("remint/v1/fred/bobo/e/validate/u", RequestTopic("fred/bobo/e", "validate", "u")),
        ("remint/v1/root/e/translate_batch/u", RequestTopic("e", "translate.batch", "u")),
        ("remint/v1/a/b/c/d/e/f/g/h/x/result/u", RequestTopic("a/b/c/d/e/f/g/h/x", "result", "u")),
        (
            "remint/v1/translate/translate/translate/u",
            RequestTopic("translate/translate", "translate", "u"),
        ),
    ],
)
def test_requests(topic: str, expected: RequestTopic) -> None:
    """A request's topic names instance, operation and user."""
    assert read(topic) == expected


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "remint/v1/e/translate/u",
        "remint/v1/root/e/publish/u",
        "remint/v2/root/e/translate/u",
        "remint/v1/root/e/translate/",
        "remint/v1/root//translate/u",
        "remint/v1//e/translate/u",
        "remint/v1/reply/alice/translate/u",
        "remint/v1/events/x/translate/u",
        "remint/v1/dead/x/translate/u",
        "remint/v1/a/b/c/d/e/f/g/h/i/x/translate/u",
    ],
)
def test_no_requests(topic: str) -> None:
    """What has another form, or a name that is reserved, is no request's."""
    assert read(topic) is None


@pytest.mark.parametrize("last", ["desk", "a/b/c", "translate", "7f/translate"])
def test_own_reply_topics(last: str) -> None:
    """Answers go to topics below the requester's own."""
    assert reply_allowed(f"remint/v1/reply/alice/{last}", "alice")


@pytest.mark.parametrize(
    "topic",
    [
        "remint/v1/reply/mallory/desk",
        "remint/v1/reply/alice",
        "remint/v1/reply/alice/",
        "remint/v1/reply/alice//x",
        "remint/v1/reply/alice/+",
        "remint/v1/reply/alice/#",
        "remint/v1/reply/alice/a\0b",
        "remint/v1/reply/alice/translate/bob",
        "remint/v1/reply/alice/desk/alice",
        "remint/v1/reply/alicia/desk",
        "remint/v1/dead",
        "remint/v1/events/token.issued",
        "$SYS/broker",
        "other/remint/v1/reply/alice/desk",
        f"remint/v1/reply/alice/{'x' * 512}",
    ],
)
def test_other_reply_topics(topic: str) -> None:
    """They go nowhere else: not to others, not to wildcards, not to what looks like a request."""
    assert not reply_allowed(topic, "alice")


def test_every_operation_has_its_lane() -> None:
    """Each operation is subscribed to in one lane."""
    assert sorted(op for lane in LANES for op in lane.operations) == sorted(OPERATIONS)
