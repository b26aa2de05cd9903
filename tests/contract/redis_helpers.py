"""What several test files on Redis do."""

from __future__ import annotations

from adapters.stores import Stores
from adapters.stores.redis_keys import SHARDS
from broker.model import Claim
from broker.testing import (
    NOW,
    a_claim,
    a_record,
    an_answer,
)
from tests.support.redis_server import RedisServer


def unstored(name: str) -> Claim:
    return a_claim(token_id=name, scope=None, request_id=None)


async def issue(stores: Stores, name: str, **changes: object) -> None:
    """A token of a request without an id."""
    record = a_record(**{"alias": name, "token_id": name, **changes})
    await stores.ledger.commit(unstored(name), record, an_answer(), NOW)


async def issue_claimed(stores: Stores, name: str) -> None:
    """A token of a request with an id."""
    claim = await stores.ledger.claim(a_claim(request_id=name, token_id=name), NOW, 5.0)
    assert isinstance(claim, Claim)
    record = a_record(alias=name, token_id=name)
    await stores.ledger.commit(claim, record, an_answer(token_id=name), NOW + 60)


def keys_in(redis: RedisServer) -> list[str]:
    return redis.cli("--scan").split()


def entries_in(redis: RedisServer, kind: str) -> int:
    """How many names or dates the shards of an index of tokens hold."""
    keys = [f"remint:{{token-{shard:02}}}:{kind}" for shard in range(SHARDS)]
    return sum(int(redis.cli("ZCARD", key)) for key in keys)
