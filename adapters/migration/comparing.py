"""The same request to both servers, and what is different in their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.migration import facts
from adapters.migration.facts import PRESENT, Facts, Outline
from broker.model import SAML2

EXPECTED: Mapping[str, str] = {
    "header.kid": "names the key in the realm's JWKS",
    "header.typ": "says the same where it is left out",
    "auth_time": "is the time of the login, where AM writes that of the request",
}
"""Differences that no relying party of AM can mind, by the name of the fact."""

ERROR = 400
STATUS = "(status)"
_WORDS = frozenset({"message", "detail"})

CLOCK_SECONDS = 1
"""How much two whole-second times may differ because the second turned between them."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One server's answer; ``body`` is its JSON."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``am_body`` stands in for ``body`` at AM where the two need different secrets,
    such as a session of each."""

    name: str
    body: Mapping[str, Any]
    am_body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact of one answer. ``matters`` is False where it is expected, for the reason given."""

    request: str
    action: str
    fact: str
    am: str
    remint: str
    matters: bool
    reason: str = ""


class Server(Protocol):
    """Sends one action to an instance."""

    async def send(
        self, action: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Answered: ...


class Refused(Exception):
    """The requests are not usable; the text is a sentence."""


def requests(document: Any) -> list[Asked]:
    """Requests from JSON: a list of translate bodies, or of objects with ``body``, and where
    needed ``name``, ``am_body`` and ``headers``. Raises Refused."""
    if isinstance(document, Mapping):
        document = [document]
    if not isinstance(document, list) or not document:
        raise Refused("write a list of requests, each the body of a translation")
    return [_asked(number, entry) for number, entry in enumerate(document, 1)]


def _asked(number: int, entry: Any) -> Asked:
    if not isinstance(entry, Mapping):
        raise Refused(f"request {number}: write an object")
    if "body" not in entry:
        entry = {"body": entry}
    body, headers = entry["body"], entry.get("headers") or {}
    am_body = entry.get("am_body", body)
    if not (isinstance(body, Mapping) and isinstance(am_body, Mapping)):
        raise Refused(f"request {number}: body and am_body are objects")
    if not isinstance(headers, Mapping) or not all(isinstance(v, str) for v in headers.values()):
        raise Refused(f"request {number}: headers is an object of strings")
    name = entry.get("name") or _pair(body)
    return Asked(f"{number} {name}", body, am_body, dict(headers))


def _pair(body: Mapping[str, Any]) -> str:
    types = []
    for key in ("input_token_state", "output_token_state"):
        state = body.get(key)
        types.append(str(state.get("token_type")) if isinstance(state, Mapping) else "?")
    return " -> ".join(types)


async def compared(
    am: Server,
    remint: Server,
    asked: Asked,
    follow: Iterable[str],
    ignore: frozenset[str],
    outline: Outline,
) -> list[Difference]:
    """Translate at both, then each action of ``follow`` with the token that each issued.

    Facts in ``ignore`` may differ; ``outline`` reads assertions.
    """

    def differences(action: str, theirs: Answered, ours: Answered) -> list[Difference]:
        facts_of = (_facts(theirs, outline), _facts(ours, outline))
        error = theirs.status == ours.status >= ERROR
        return _differences(asked.name, action, *facts_of, ignore, error)

    theirs = await am.send("translate", asked.am_body, asked.headers)
    ours = await remint.send("translate", asked.body, asked.headers)
    found = differences("translate", theirs, ours)
    tokens = [_token(answer) for answer in (theirs, ours)]
    if None in tokens:
        return found
    wanted = asked.body.get("output_token_state")
    for action in follow:
        bodies = [_presented(action, wanted, token) for token in tokens]
        theirs = await am.send(action, bodies[0], {})
        ours = await remint.send(action, bodies[1], {})
        found += differences(action, theirs, ours)
    return found


def _token(answer: Answered) -> str | None:
    token = answer.body.get("issued_token") if isinstance(answer.body, Mapping) else None
    return token if answer.status == 200 and isinstance(token, str) else None


def _presented(action: str, wanted: Any, token: str | None) -> dict[str, Any]:
    token_type = wanted.get("token_type") if isinstance(wanted, Mapping) else None
    member = "saml2_token" if token_type == SAML2 else "oidc_id_token"
    state = "validated_token_state" if action == "validate" else "cancelled_token_state"
    return {state: {"token_type": token_type, member: token}}


def _differences(
    request: str, action: str, before: Facts, after: Facts, ignore: frozenset[str], error: bool
) -> list[Difference]:
    if before[STATUS] != after[STATUS]:  # what else they say is then different, too
        before, after = ({STATUS: each[STATUS]} for each in (before, after))
    words = _WORDS if error else frozenset()
    found = []
    for fact in sorted(before.keys() | after.keys()):
        values = before.get(fact), after.get(fact)
        if values[0] == values[1] or fact in ignore or _same_second(*values):
            continue
        reason = "is worded differently" if fact in words else EXPECTED.get(fact, "")
        am, remint = map(_shown, values)
        found.append(Difference(request, action, fact, am, remint, not reason, reason))
    return found


def _facts(answer: Answered, outline: Outline) -> dict[str, tuple[str, ...]]:
    """Status, members of the body, and what the token says. No token is among them."""
    found: dict[str, tuple[str, ...]] = {STATUS: (str(answer.status),)}
    if not isinstance(answer.body, Mapping):
        return found | {"(body)": (PRESENT if answer.body else "none",)}
    for name, value in answer.body.items():
        if name == "issued_token" and answer.status == 200:
            found |= facts.of(value, outline)
        else:
            found[str(name)] = (facts.plain(value),)
    return found


def _same_second(am: tuple[str, ...] | None, remint: tuple[str, ...] | None) -> bool:
    if am is None or remint is None or len(am) != len(remint):
        return False
    pairs = zip(map(facts.seconds, am), map(facts.seconds, remint), strict=True)
    return all(a is not None and b is not None and abs(a - b) <= CLOCK_SECONDS for a, b in pairs)


def _shown(values: tuple[str, ...] | None) -> str:
    if values is None:
        return "(absent)"
    return ", ".join(value or "(there)" for value in values)


def lines(differences: Iterable[Difference], names: Iterable[str]) -> Iterator[str]:
    """For people: each request, and what is different, what matters first."""
    by_request: dict[str, list[Difference]] = {name: [] for name in names}
    for each in differences:
        by_request[each.request].append(each)
    for name, found in by_request.items():
        if not found:
            yield f"{name}: the same"
            continue
        yield f"{name}:"
        for each in sorted(found, key=lambda difference: not difference.matters):
            mark = "differs " if each.matters else "expected"
            why = f"  ({each.reason})" if each.reason else ""
            yield f"  {mark}  {each.action} {each.fact}: {each.am} -> {each.remint}{why}"
