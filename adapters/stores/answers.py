"""How an answer is written down, before it is sealed: the same in every store on disk."""

from __future__ import annotations

import orjson

from adapters.stores.sealing import plain
from broker.model import Answer


def written(answer: Answer) -> bytes:
    """The plain text of an answer. Raises InvalidRequest for what JSON cannot say."""
    return plain(
        [
            answer.status,
            answer.body,
            answer.token_id,
            answer.expires_at,
            answer.instance,
            answer.reply_key,
        ]
    )


def read(text: bytes) -> Answer:
    """The answer again. Those of earlier versions end with ``expires_at``."""
    status, body, token_id, expires_at, *whose = orjson.loads(text)
    return Answer(status, body, token_id, expires_at, *whose)
