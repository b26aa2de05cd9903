"""The invariants, proved from evidence alone: each function yields a sentence for each violation.

I1 every accepted request ends in exactly one token or definite error. I2 one id has one token at
most. I3 each token that was audited has its record, or was cancelled. I4 answers reach nobody but
their requester. I5 what was acknowledged as cancelled is never valid again. I6 nothing is issued
where validation failed. I7 nobody hears of a request that was never sent. I8 answers to one request
are the same bytes. I9 dead letters are malformed requests. I10 queues, files and the outbox are
back where they began. Events: each token is announced, under one id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.chaos.evidence import MORE_FILES, Evidence
from tests.chaos.scenario import CANCEL, EXPECTED, EXPIRED, GOOD, MALFORMED, TRANSLATE, WRONG

Check = Callable[[Evidence], Iterator[str]]


def unannounced(evidence: Evidence, events: list[dict[str, Any]]) -> bool:
    """Whether any event is missing yet."""
    return next(_announced(replace(evidence, events=events)), None) is not None


def violations(evidence: Evidence) -> list[str]:
    """Every violation of every invariant, as a sentence with the key it is about."""
    return [f"{name}: {sentence}" for name, check in CHECKS.items() for sentence in check(evidence)]


def asked(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {event["key"]: event for event in evidence.history if event["what"] == "asked"}


def answers(evidence: Evidence, *, definite: bool = True) -> dict[str, list[dict[str, Any]]]:
    """The answers to each key, in order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.history:
        if event["what"] == "answer" and event["definite"] is definite:
            found[event["key"]].append(event)
    return found


def _ends(evidence: Evidence) -> Iterator[str]:
    answered, dead = answers(evidence), set(evidence.dead)
    for key, ask in asked(evidence).items():
        if not ask["reply"]:
            if ask["kind"] == MALFORMED and ask["id"] not in dead:
                yield f"{key} was accepted and is neither answered nor a dead letter"
            continue
        statuses = {answer["status"] for answer in answered.get(key, [])}
        if not statuses:
            yield f"{key} has no definite answer"
        elif len(statuses) > 1 or not statuses <= EXPECTED[ask["kind"]]:
            yield f"{key} ({ask['kind']}) was answered with {sorted(statuses)}"
    for key, found in answers(evidence, definite=False).items():
        if any(answer["status"] == 500 for answer in found):
            yield f"{key} was answered with a 500"


def _one_token(evidence: Evidence) -> Iterator[str]:
    for key, found in _tokens(evidence).items():
        if len(found) > 1:
            yield f"{key} has {len(found)} tokens: {', '.join(sorted(found))}"


def _tokens(evidence: Evidence) -> dict[str, set[str]]:
    """The token ids of each request, from answers and audits."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in evidence.history:
        if event["what"] == "answer" and event.get("token"):
            found[event["key"]].add(event["token"])
    for line in evidence.audit:
        if _issued(line) and line.get("request_id") and line.get("token_id"):
            found[line["request_id"]].add(line["token_id"])
    return found


def _issued(line: dict[str, Any]) -> bool:
    return line.get("operation") == TRANSLATE and line["outcome"] == "ok"


def _recorded(evidence: Evidence) -> Iterator[str]:
    """A broker that was killed between removing a record and its audit leaves the second attempt
    to audit the cancel: that one finds no record, and names the token by its digest alone."""
    ends = [line for line in evidence.audit if line.get("operation") == CANCEL]
    digests = {line["digest"] for line in ends if line["outcome"] == "ok"}
    cancelled = {line["token_id"] for line in ends if line.get("token_id")} | {
        event["token"]
        for event in evidence.history
        if event["what"] == "cancelled" and event["digest"] in digests
    }
    known = evidence.records | cancelled
    for key, found in _tokens(evidence).items():
        for token in found - known:
            yield f"token {token} of {key} has no record and was not cancelled"


def _own_answers(evidence: Evidence) -> Iterator[str]:
    requesters = asked(evidence)
    for event in evidence.history:
        ask = requesters.get(event.get("key", ""))
        if event["what"] == "answer" and ask is not None and event["by"] != ask["by"]:
            yield f"the answer to {event['key']} came to {event['by']}"


def _cancelled(evidence: Evidence) -> Iterator[str]:
    for key, said in evidence.valid.items():
        if key in evidence.cancelled and any(said):
            yield f"the token of {key} was cancelled and is valid"
        if key not in evidence.cancelled and not all(said):
            yield f"the token of {key} was never cancelled and is not valid"


def _nothing_for_refused(evidence: Evidence) -> Iterator[str]:
    never = (WRONG, EXPIRED, MALFORMED)
    refused = {key for key, ask in asked(evidence).items() if ask["kind"] in never}
    for key, found in _tokens(evidence).items():
        if key in refused:
            yield f"{key} must not have a token, and has {', '.join(sorted(found))}"


def _expected(evidence: Evidence) -> Iterator[str]:
    known = set(asked(evidence))
    for event in evidence.history:
        if event["what"] == "stray":
            yield f"an answer to {event['correlation_id']} came to {event['by']}, who asked nothing"
        elif event["what"] == "answer" and event["key"] not in known:
            yield f"an answer to {event['key']} came, and nobody had asked"
    ids = {ask["id"] for ask in asked(evidence).values()}
    known_tokens = {token for found in _tokens(evidence).values() for token in found}
    for line in evidence.audit:
        request_id = line.get("request_id")
        if line.get("operation") == TRANSLATE and request_id and request_id not in ids:
            yield f"the audit knows a request {request_id} that nobody sent"
    for token in evidence.records - known_tokens:
        yield f"the record of {token} belongs to no request"


def _identical(evidence: Evidence) -> Iterator[str]:
    for key, found in different(evidence).items():
        yield f"{key} has {len(found)} answers that differ"


def different(evidence: Evidence) -> dict[str, list[dict[str, Any]]]:
    """Answers that should be the same bytes and are not. A 408 is not stored, so its sentence may
    say where the request was when its time was up."""
    kinds = {key: ask["kind"] for key, ask in asked(evidence).items()}
    return {
        key: found
        for key, found in answers(evidence).items()
        if kinds.get(key) != EXPIRED and len({answer["digest"] for answer in found}) > 1
    }


def _dead_letters(evidence: Evidence) -> Iterator[str]:
    malformed = {ask["id"] for ask in asked(evidence).values() if ask["kind"] == MALFORMED}
    for message_id in set(evidence.dead) - malformed:
        yield f"{message_id or 'a message without id'} is a dead letter and was well-formed"


def _baseline(evidence: Evidence) -> Iterator[str]:
    for queue, number in evidence.queues.items():
        if number:
            yield f"{number} messages are left in {queue}"
    for announcement in evidence.outbox:
        yield f"{announcement} is left in the outbox"
    for broker, (before, after) in evidence.files.items():
        if after > before + MORE_FILES:
            yield f"{broker} has {after} open files, and had {before}"


def _announced(evidence: Evidence) -> Iterator[str]:
    if evidence.events is None:
        return
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in evidence.events:
        ids[str(event["type"]), _token_of(event)].add(str(event["id"]))
    for (kind, token), found in ids.items():
        if token and len(found) > 1:
            yield f"{kind} of {token} went out under {len(found)} ids"
    issued = {token for kind, token in ids if kind.endswith("token.issued")}
    ended = {token for kind, token in ids if kind.endswith("token.cancelled")}
    tokens = _tokens(evidence)
    for key, ask in asked(evidence).items():
        if ask["kind"] != GOOD:
            continue
        for token in tokens[key] - issued:
            yield f"token {token} of {key} was never announced"
        if key in evidence.cancelled:
            for token in tokens[key] - ended:
                yield f"the end of token {token} of {key} was never announced"


def _token_of(event: dict[str, Any]) -> str:
    data = event.get("data")
    return str(data.get("token_id", "")) if isinstance(data, dict) else ""


def _orderly(evidence: Evidence) -> Iterator[str]:
    """Brokers end by a signal of the nemesis, in order, or for want of their store (1)."""
    for name, codes in evidence.exits.items():
        if name.startswith("broker"):
            for code in set(codes) - {0, 1, -9}:
                yield f"{name} ended with {code}"


CHECKS: dict[str, Check] = {
    "I1": _ends,
    "I2": _one_token,
    "I3": _recorded,
    "I4": _own_answers,
    "I5": _cancelled,
    "I6": _nothing_for_refused,
    "I7": _expected,
    "I8": _identical,
    "I9": _dead_letters,
    "I10": _baseline,
    "events": _announced,
    "ends": _orderly,
}
