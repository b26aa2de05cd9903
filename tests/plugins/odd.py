"""Plug-ins that do what they are told by the token or the option ``do``, good or bad."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from broker import errors
from broker.model import Secret
from broker.plug_ins import CustomInput, Translation, Validated
from broker.statements import AuthnStatement, Conditions, Subject

HELD = threading.Event()
"""Set, it lets those threads go that hang."""

SECRET = "pl4nted-in-a-plug-in"


class Broken(Exception):
    """What no plug-in should raise; its text holds a secret."""


def fail() -> None:
    raise Broken(SECRET)


class Validator:
    """Answers with the members of the token."""

    def validate(self, given: CustomInput) -> Any:
        said = given.token.unverified
        if said.get("do") == "nothing":
            return None
        if said.get("do") == "text":
            return "robot"
        if said.get("do") == "show":
            shown = {key: value.reveal() for key, value in given.values.items()}
            return Validated("robot", state={"values": shown, "context": dict(given.context)})
        session = said.get("session")
        return Validated(
            name=said.get("name"),
            session_id=None if session is None else Secret(session),
            local=said.get("local", False),
            not_after=said.get("not_after"),
            state=said.get("state"),
        )


class Provider:
    """Does as the option ``do`` says; what it answers holds what it was told."""

    async def issue(self, order: Translation) -> Any:
        wanted = order.output.options.get("do")
        if wanted == "hang":
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    if HELD.is_set():
                        raise
        if wanted == "fail":
            fail()
        if wanted == "exit":
            raise SystemExit(3)
        if wanted == "object":
            return object()
        if wanted == "long":
            return "x" * 300_000
        if wanted == "refuse":
            kind = getattr(errors, order.output.options["with"])
            if kind in (errors.TooManyAttempts, errors.Unavailable):
                raise kind("not today", retry_after=7)
            raise kind("not today")
        if "value" in order.output.options:
            return order.output.options["value"]
        principal = order.principal
        return {
            "name": principal.name,
            "account": principal.account,
            "attributes": dict(principal.attributes or {}),
            "session": principal.session_id is not None,
            "state": principal.state,
            "given": order.input.type,
            "id": order.token_id,
            "issued_at": order.issued_at,
        }


class Hanging:
    """Keeps its thread until the test lets it go."""

    def issue(self, order: Translation) -> Any:
        HELD.wait()
        return {}


class WrongMapper:
    """Answers of the wrong kind."""

    def attributes(self, order: Translation) -> Any:
        return {"mail": [1]}

    def claims(self, order: Translation) -> Any:
        return ["mail"]

    def authn_context(self, order: Translation) -> Any:
        return 7

    def authn_methods(self, order: Translation) -> Any:
        return "pwd"


class SilentMapper:
    """Says nothing of anything."""

    def attributes(self, order: Translation) -> Any:
        return {}

    def claims(self, order: Translation) -> Any:
        return {}

    def authn_context(self, order: Translation) -> Any:
        return None

    def authn_methods(self, order: Translation) -> Any:
        return []


class GreedyMapper:
    """Claims what is not its own."""

    def claims(self, order: Translation) -> Any:
        return {"sub": "admin", "iss": "https://evil.example.com", "acr": "high", "team": "x"}


class WrongStatements:
    """Parts that cannot be written, or that an instance does not allow."""

    def conditions(self, order: Translation) -> Any:
        return Conditions(not_on_or_after=order.expires_at + 1)

    def subject(self, order: Translation) -> Any:
        return Subject("nul \0")

    def authentication_statements(self, order: Translation) -> Any:
        return [AuthnStatement("yesterday", "x")]  # type: ignore[arg-type]  # on purpose

    def attribute_statements(self, order: Translation) -> Any:
        return "<saml:AttributeStatement/>"

    def authz_decision_statements(self, order: Translation) -> Any:
        return [Subject("no decision")]


class Ends:
    """Ends the program that makes it, as a script does that is imported by mistake."""

    def __init__(self) -> None:
        raise SystemExit(SECRET)


class NotMade:
    """Cannot be made."""

    def __init__(self) -> None:
        fail()


class Empty:
    """Has no method at all."""


POINTS = {
    "remint.custom_validators": {"odd": "tests.plugins.odd:Validator"},
    "remint.custom_providers": {
        "odd": "tests.plugins.odd:Provider",
        "hanging": "tests.plugins.odd:Hanging",
        "ends": "tests.plugins.odd:Ends",
        "not-made": "tests.plugins.odd:NotMade",
        "empty": "tests.plugins.odd:Empty",
        "not-there": "tests.plugins.nowhere:Nothing",
    },
    "remint.mappers": {
        "wrong": "tests.plugins.odd:WrongMapper",
        "silent": "tests.plugins.odd:SilentMapper",
        "greedy": "tests.plugins.odd:GreedyMapper",
    },
    "remint.statements": {"wrong": "tests.plugins.odd:WrongStatements"},
}
