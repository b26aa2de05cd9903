"""The wire of batches: what an answer says about asking again."""

from __future__ import annotations

import pytest

from adapters import codec
from broker.model import Answer

TOKEN = {"issued_token": "t"}


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([], "never"),
        ([400, 401, 409], "never"),
        ([429, 400], "later"),
        ([408], "later"),
        ([408, 503, 400], "same-id"),
        ([429, 500], "same-id"),
    ],
)
def test_advice_about_a_batch(codes: list[int], said: str) -> None:
    """The advice about a batch is that about the part for which asking again can do the most."""
    answer = Answer(200, {"results": [TOKEN, *({"code": code} for code in codes)]})
    assert codec.advice(answer) == said


@pytest.mark.parametrize("status", codec.REASONS)
def test_advice_about_one_request(status: int) -> None:
    """A single answer has the advice of its status, whatever its body says."""
    assert codec.advice(Answer(status, {"code": 503})) == codec.retry_advice(status)
    assert codec.advice(Answer(status, {"results": "none"})) == codec.retry_advice(status)
