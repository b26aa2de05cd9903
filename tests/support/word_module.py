"""A kind of authentication module for tests: whoever says the shared word is let in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.authentication.kinds import GROUP, Parts
from adapters.instances.members import Members
from broker.authentication import (
    FAILED,
    OTP_PROMPT,
    AuthModule,
    Evidence,
    Identity,
    MoreNeeded,
    account,
)
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret
from tests.support.plug_ins import installed


class WordModule:
    """``does`` in its document is ``check``, ``down``, ``ask`` (for a code), ``hang`` or ``once``
    (the code counts once)."""

    headers: frozenset[str] = frozenset()

    def __init__(
        self, name: str, word: Secret, does: str, attributes: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.name = name
        self.closed = 0
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()
        self._word = word
        self._does = does
        self._attributes = attributes

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        if self._does == "down":
            raise Unavailable("the word is not to be had", detail="no word", retry_after=5)
        code = evidence.otp or evidence.answers.get("otp")
        if self._does == "ask" and code is None:
            raise MoreNeeded((OTP_PROMPT,))
        said = code if self._does == "ask" else evidence.password
        if said is None or said != self._word or evidence.username is None:
            raise AuthenticationFailed(FAILED, detail="another word")
        if self._does == "hang":
            self.waiting.set()
            await self.go_on.wait()
        once = f"{self.name} {code.reveal()}" if self._does == "once" and code else None
        if known is not None and known.name == evidence.username:  # his second word
            return replace(
                known,
                attributes={**self._attributes, **known.attributes},
                methods=(*known.methods, "kba"),
                one_time=known.one_time or once,
            )
        foreign = account(self.name, evidence.username)
        return Identity(evidence.username, self._attributes, foreign, ("kba",), one_time=once)

    async def close(self) -> None:
        self.closed += 1


class WordKind:
    name = "word"
    secrets = frozenset({"word"})

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only("word", "does", "attributes", "server")
        word = members.secret("word")
        if word is None:
            members.wrong("word", "write the word")
        attributes = {key: (value,) for key, value in members.text_map("attributes").items()}
        does = members.text("does", "check")
        module = WordModule(name, word or Secret(""), does, attributes)
        MADE.append(module)
        return module


MADE: list[WordModule] = []


def install_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[WordModule]:
    """The kind, installed for one test; the modules that it made, in order."""
    points = {GROUP: {"word": "tests.support.word_module:WordKind"}}
    installed(folder / "word", monkeypatch, points, "word-module-of-the-tests")
    MADE.clear()
    return MADE
