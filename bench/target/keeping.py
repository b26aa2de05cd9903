"""Asks a server whether it knows the tokens that it issued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.target import WrongAnswer
from bench.target.asking import UNREACHABLE, answered, asking, each, members


@dataclass(frozen=True, slots=True)
class Question:
    """A POST about one token."""

    url: str
    head: Mapping[str, str]
    body: bytes


async def all_kept(questions: Sequence[Question], member: str, ca: Path | None) -> None:
    """Each must be answered by a JSON object with ``member`` true. Raises WrongAnswer."""
    async with asking(ca) as http:
        await each(questions, lambda question: _kept(http, question, member))


async def _kept(http: aiohttp.ClientSession, question: Question, member: str) -> None:
    try:
        status, body = await answered(
            http, "POST", question.url, head=question.head, body=question.body
        )
    except (*UNREACHABLE, ValueError) as error:
        raise WrongAnswer(
            f"the server could not be asked for its tokens: {type(error).__name__}"
        ) from None
    if status == 409:
        raise WrongAnswer("the server keeps no tokens of this instance (409): say --not-kept")
    if status != 200:
        raise WrongAnswer(f"the server answered {status} when asked for a token of its own")
    if members(body).get(member) is not True:
        raise WrongAnswer("the server does not know a token that it issued")
