"""Answers as the stores on disk write them."""

from __future__ import annotations

from adapters.stores import answers
from broker.testing.builders import an_answer


def test_an_answer_of_an_earlier_version() -> None:
    """An answer that was stored before it had an instance and a key is read, and has neither."""
    found = answers.read(b'[200,{"issued_token":"header.payload.signature"},"token-1",1800000600]')
    assert found == an_answer(expires_at=1800000600)
    assert (found.instance, found.reply_key) == (None, None)
