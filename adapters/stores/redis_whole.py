"""Facts in one call, where one server has all the slots: a claim, and a token with all that leads
to it (its record, pointer, index entries and announcement). A cluster takes two steps for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.stores.redis_keys import REQUEST, TOKEN, key
from adapters.stores.redis_links import Command
from adapters.stores.redis_outbox import Letter
from adapters.stores.redis_records import (
    Place,
    alias_keys,
    index_keys,
    index_member,
    index_stems,
    keys_in,
)
from adapters.stores.redis_schema import function
from broker.model import TokenRecord

CLAIM = function("claim_whole")
ISSUE = function("issue_whole")
COMMIT = function("commit_whole")

_NO_LETTER = ("", "", "")


def claim(slot: str, due_set: str, words: Sequence[Any]) -> Command:
    """``words`` are those of a claim that nobody counts."""
    return "FCALL", CLAIM, 2, key(slot, REQUEST), due_set, slot, *words


def counted_claim(slot: str, due_set: str, counter: str, words: Sequence[Any]) -> Command:
    """``words`` end with the quota of ``counter`` and the end of its window."""
    return "FCALL", CLAIM, 3, key(slot, REQUEST), due_set, counter, slot, *words


def issue(place: Place, value: bytes, record: TokenRecord, letter: Letter | None) -> Command:
    """The sealed record beside its alias, in the slot of ``place``."""
    keys = (*keys_in(place.tag), *index_keys(record.alias), *_letter_keys(letter))
    return "FCALL", ISSUE, len(keys), *keys, *_token_words(place, value, record, letter)


def commit(
    place: Place,
    claimed: Sequence[Any],
    value: bytes,
    record: TokenRecord,
    letter: Letter | None,
) -> Command:
    """The sealed record beside its request, in the slot of ``place``, and the answer.

    ``claimed`` are epoch, owner, sealed answer, its end, and when to forget it.
    """
    slot = place.tag
    keys = (
        *(key(slot, REQUEST), key(slot, TOKEN)),
        *alias_keys(record.alias),
        *index_keys(record.alias),
        *_letter_keys(letter),
    )
    words = _token_words(place, value, record, letter)
    return "FCALL", COMMIT, len(keys), *keys, *claimed, slot, *words


def _token_words(
    place: Place, value: bytes, record: TokenRecord, letter: Letter | None
) -> list[Any]:
    told = _NO_LETTER if letter is None else (letter.value, letter.due_at, letter.entry)
    names = (index_member(record), *index_stems(record))
    return [place.identity, value, record.expires_at, *told, *names]


def _letter_keys(letter: Letter | None) -> tuple[str, ...]:
    return () if letter is None else (letter.key, letter.due_set)
