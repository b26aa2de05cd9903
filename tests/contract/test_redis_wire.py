"""What is written to Redis by hand for speed, beside what the libraries write for the same."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection

from adapters.stores.redis_keys import bytes_of, digest, remembered_short, short, text_of
from adapters.stores.redis_links import packed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = TEXTS | st.binary(max_size=8192) | st.integers() | st.floats()
NAMES = st.sampled_from(["FCALL", "GET", "ZADD"])


@given(st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=8)), min_size=1, max_size=8))
def test_commands_are_packed_as_redis_py_packs_them(drawn: list[tuple[str, list[object]]]) -> None:
    """Texts, bytes and numbers of any value are the same bytes on the wire."""
    commands = [(name, *words) for name, words in drawn]
    judge = Connection().pack_commands(commands)  # type: ignore[arg-type] # floats are fine
    assert packed(commands) == b"".join(judge)


@pytest.mark.parametrize("word", [None, True, [], {}, object()])
def test_word_that_has_no_one_form_is_a_mistake(word: object) -> None:
    """What Redis could read in two ways is not sent at all."""
    with pytest.raises(TypeError):
        packed([("SET", "key", word)])


@given(st.binary(max_size=100))
def test_base64url_is_that_of_the_library(value: bytes) -> None:
    """A digest is the same text as before, and is read back."""
    assert text_of(value) == base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    assert bytes_of(text_of(value)) == value


@given(TEXTS, TEXTS)
def test_parts_of_a_digest_cannot_be_shifted(one: str, other: str) -> None:
    """Two parts are never taken for their concatenation, and a remembered digest is the same."""
    assert digest("kind", one, other) != digest("kind", one + other)
    assert remembered_short("kind", one) == short("kind", one) == digest("kind", one)[:16]


def test_digest_is_the_one_that_stores_have() -> None:
    """A known value: what older brokers wrote is found again."""
    assert digest("alias", "A", "Ü").hex() == (
        "5e8396c81cc045bccac07aebe5047b214304c48e005e1a61d7d74b13c36b22ff"
    )
