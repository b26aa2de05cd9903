"""W3C Trace Context over HTTP: what came with the request leaves with its answer."""

from __future__ import annotations

import pytest

from broker.events import Event, TranslationRejected
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEAD = {"traceparent": PARENT, "tracestate": "vendor=1"}


async def test_it_comes_back(door: Door) -> None:
    """An answer and a refusal carry the trace context of their request."""
    paths = [f"/rest-sts/{ELEMENT}?_action=translate", "/rest-sts/nowhere?_action=translate"]
    for path, status in zip(paths, (200, 404), strict=True):
        body = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
        answer = await door.request("POST", path, body=body, headers=HEAD)
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in HEAD} == HEAD


@pytest.mark.parametrize(
    "parent",
    [
        "not a trace",
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        PARENT.replace("b7ad6b7169203331", "0" * 16),
        PARENT + "-more",
    ],
)
async def test_what_is_none_is_dropped(door: Door, parent: str) -> None:
    """What is not a trace context does not come back, and neither does its state."""
    answer = await door.translate(user_input(), ID_TOKEN, headers={**HEAD, "traceparent": parent})
    assert answer.status == 200
    assert not set(HEAD) & {name.lower() for name in answer.headers}


async def test_it_reaches_the_announcement(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of a token carries the trace context of the request that issued it."""
    sink = door.broker.components.pipeline._events
    traces = []

    def prepare(event: Event, **given: object) -> None:
        traces.append(given["trace"])

    monkeypatch.setattr(sink, "prepare", prepare)
    await door.translate(user_input(), ID_TOKEN, headers=HEAD)
    assert traces == [HEAD]


async def test_a_rejection_at_an_unknown_instance(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking an instance that is not there for a token is announced once, like any rejection;
    looking for one in another way is not."""
    sink = door.broker.components.pipeline._events
    events: list[Event] = []

    async def publish(event: Event) -> None:
        events.append(event)

    monkeypatch.setattr(sink, "publish", publish)
    for action in ("translate", "translate_batch", "validate", "cancel"):
        answer = await door.request("POST", f"/rest-sts/nowhere?_action={action}", body={})
        assert answer.status == 404
    assert [type(event) for event in events] == [TranslationRejected] * 2
    assert {event.instance for event in events if isinstance(event, TranslationRejected)} == {
        "nowhere"
    }
