"""``kill -9`` in the middle of a batch: asked again it goes on, and each part has one token."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

import pytest

from broker.batching import CHUNK
from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.crashing import COMMITTED
from tests.support.door import ELEMENT, ID_TOKEN, Answer, session_input
from tests.support.planted import Planted

pytestmark = pytest.mark.slow

PARTS = 3 * CHUNK


def _ask(caller: Caller, planted: Planted, given: dict[str, Any], wanted: Any = ID_TOKEN) -> Answer:
    part = {"input_token_state": given, "output_token_state": wanted}
    path = f"/rest-sts/{ELEMENT}?_action=translate_batch"
    body = {"requests": [part] * PARTS}
    answer = caller.request("POST", path, body, {"Idempotency-Key": "batch"})
    for result in answer.body.get("results", ()):
        planted.note(result["issued_token"])
    return answer


def _id(result: dict[str, str]) -> str:
    part = result["issued_token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["jti"])


def test_killed_between_two_chunks(brokers: Brokers, planted: Planted) -> None:
    """The tokens that were stored before the crash are those that are answered after it, the others
    are issued then, and the answer stays the same from there on."""
    broker = brokers("serve")
    broker.start()
    given = session_input(set_up(broker.url, planted))
    broker.kill()

    crashing = brokers(COMMITTED, module="tests.support.crashing")
    crashing.start()
    with (
        Caller(crashing.url, planted) as caller,
        pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)),
    ):
        _ask(caller, planted, given)
    assert crashing.wait() == -9

    broker.start()
    with Caller(broker.url, planted) as caller:
        before = {record["_id"] for record in caller.issued(caller.admin())}
        assert 0 < len(before) < PARTS
        answer = _ask(caller, planted, given)
        assert answer.status == 200, answer.text
        after = {record["_id"] for record in caller.issued(caller.admin())}
        assert before < after
        assert len(after) == PARTS
        ids = {_id(result) for result in answer.body["results"]}
        assert len(ids) == PARTS
        assert all(caller.valid(r["issued_token"]) for r in answer.body["results"][:: CHUNK // 2])
        assert _ask(caller, planted, given).text == answer.text
        assert _ask(caller, planted, given, {**ID_TOKEN, "nonce": "other"}).status == 409
        assert len(caller.issued(caller.admin())) == PARTS
    lines = [line for line in broker.audit() if line["operation"] == "translate"]
    assert len({line["index"] for line in lines}) == PARTS
    assert sum(line.get("replayed") is True for line in lines) == len(before)
