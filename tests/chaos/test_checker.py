"""The checker finds what it is there to find: each kind of violation in evidence made for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.checker import CHECKS, violations
from tests.chaos.evidence import Evidence

ISSUED, CANCELLED = "org.example.token.issued", "org.example.token.cancelled"


def _asked(key: str, kind: str = "good", *, reply: bool = True) -> dict[str, Any]:
    return {"what": "asked", "key": key, "id": key, "kind": kind, "by": "http", "reply": reply}


def _answer(key: str, status: int = 200, **members: Any) -> dict[str, Any]:
    given = {"token": f"t-{key}" if status == 200 else None, "digest": key, "by": "http"}
    definite = status < 500
    return {
        "what": "answer",
        "key": key,
        "status": status,
        "definite": definite,
        **given,
        **members,
    }


def _issued(key: str, **members: Any) -> dict[str, Any]:
    given = {"request_id": key, "token_id": f"t-{key}", "outcome": "ok"}
    return {"operation": "translate", **given, **members}


def _event(kind: str, key: str, number: str = "") -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}-{key}{number}", "data": {"token_id": f"t-{key}"}}


def _sound() -> Evidence:
    """Of a run in which all went well: a token, one that was cancelled, and a malformed request."""
    return Evidence(
        history=[
            _asked("a"),
            _answer("a"),
            _answer("a"),
            _asked("b"),
            _answer("b"),
            {"what": "cancelled", "key": "b", "token": "t-b", "digest": "d-b"},
            _asked("m", "malformed", reply=False),
        ],
        audit=[
            _issued("a"),
            _issued("b"),
            {"operation": "cancel", "outcome": "ok", "digest": "d-b"},
        ],
        records={"t-a"},
        dead=["m", "m"],
        queues={"remint.requests": 0},
        valid={"a": [True], "b": [False, False]},
        cancelled={"b"},
        events=[_event(ISSUED, "a"), _event(ISSUED, "b"), _event(CANCELLED, "b")],
        files={"broker": (20, 21)},
        exits={"broker-1": [-9, 0]},
    )


def test_sound() -> None:
    """Where all went well there is nothing to say."""
    assert violations(_sound()) == []


def _tamper(name: str, change: Callable[[Evidence], object]) -> Any:
    return pytest.param(name.split()[0], change, id=name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        _tamper("I1 no answer", lambda e: e.history.append(_asked("c", "wrong"))),
        _tamper("I1 another answer", lambda e: e.history.append(_answer("a", 401))),
        _tamper("I1 a 500", lambda e: e.history.append(_answer("a", 500))),
        _tamper("I1 no dead letter", lambda e: e.dead.clear()),
        _tamper("I2 in an answer", lambda e: e.history.append(_answer("a", token="t-2"))),
        _tamper("I2 in the audit", lambda e: e.audit.append(_issued("a", token_id="t-2"))),
        _tamper("I3 no record", lambda e: e.records.clear()),
        _tamper("I3 no audited cancel", lambda e: e.audit.pop()),
        _tamper("I4 somebody else", lambda e: e.history.append(_answer("a", by="amqp mallory"))),
        _tamper("I5 valid again", lambda e: e.valid["b"].append(True)),
        _tamper("I5 not valid", lambda e: e.valid["a"].append(False)),
        _tamper("I6 in spite of a refusal", lambda e: e.audit.append(_issued("m"))),
        _tamper("I7 an answer", lambda e: e.history.append(_answer("x"))),
        _tamper("I7 a stray", lambda e: e.history.append(_stray())),
        _tamper("I7 in the audit", lambda e: e.audit.append(_issued("x"))),
        _tamper("I7 a record", lambda e: e.records.add("t-x")),
        _tamper("I8 other bytes", lambda e: e.history.append(_answer("a", digest="other"))),
        _tamper("I9 well-formed", lambda e: e.dead.append("a")),
        _tamper("I10 left in a queue", lambda e: e.queues.update({"remint.requests": 1})),
        _tamper("I10 left open", lambda e: e.files.update({"broker": (20, 200)})),
        _tamper("I10 left in the outbox", lambda e: e.outbox.append("token.issued 1")),
        _tamper("events not announced", lambda e: e.events and e.events.pop(0)),
        _tamper("events end not announced", lambda e: e.events and e.events.pop()),
        _tamper("events two ids", lambda e: e.events and e.events.append(_event(ISSUED, "a", "+"))),
        _tamper("ends by a crash", lambda e: e.exits["broker-1"].append(-11)),
    ],
)
def test_violation(name: str, change: Callable[[Evidence], object]) -> None:
    """One thing wrong in a sound run is found by the invariant that it breaks."""
    evidence = _sound()
    change(evidence)
    assert [line for line in violations(evidence) if line.startswith(f"{name}:")]


def test_each_invariant_is_tried() -> None:
    """No check is without a violation that it must find."""
    [mark] = test_violation.pytestmark  # type: ignore[attr-defined]
    assert {given.values[0] for given in mark.args[1]} == set(CHECKS)


def _stray() -> dict[str, Any]:
    return {"what": "stray", "correlation_id": "x", "by": "http"}
