"""What the end of an audit file tells about the store."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapters.stores.lost_writes import MAX_TAIL_BYTES, lost
from adapters.stores.memory import open_memory
from broker.testing import NOW, a_claim, a_record, an_answer

LATER = str(int(NOW) + 600)


async def _lost(path: Path, *lines: Any, present: tuple[str, ...] = ()) -> int:
    stores = open_memory()
    for alias in present:
        claim = a_claim(scope=None, request_id=None, token_id=alias)
        record = a_record(alias=alias, token_id=alias)
        await stores.ledger.commit(claim, record, an_answer(), NOW)
    _write(path, lines)
    return await lost(path, stores.tokens, NOW)


def _write(path: Path, lines: Iterable[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _issued(alias: str, **changes: Any) -> dict[str, Any]:
    return {"outcome": "ok", "token_alias": alias, "kept_until": LATER, **changes}


async def test_no_file(tmp_path: Path) -> None:
    """A first start has nothing to compare."""
    assert await lost(tmp_path / "audit.log", open_memory().tokens, NOW) == 0


async def test_the_newest_decides(tmp_path: Path) -> None:
    """As long as the newest token is there nothing is amiss; else all missing at the end count."""
    path = tmp_path / "audit.log"
    lines = [_issued(name) for name in "abc"]
    assert await _lost(path, *lines, present=("c",)) == 0
    assert await _lost(path, *lines, present=("a",)) == 2
    assert await _lost(path, *lines) == 3


async def test_what_proves_nothing(tmp_path: Path) -> None:
    """Expired, cancelled, refused and unkept tokens are passed over, and so is a torn line."""
    path = tmp_path / "audit.log"
    proves_nothing = [
        _issued("expired", kept_until=str(int(NOW))),
        _issued("cancelled"),
        {"outcome": "ok", "token_alias": "cancelled", "operation": "cancel"},
        _issued("refused", outcome="refused"),
        {"outcome": "ok", "token_alias": "unkept"},
        {"outcome": "ok"},
        "no record",
    ]
    assert await _lost(path, _issued("a"), *proves_nothing, present=("a",)) == 0
    _tear(path)
    assert await lost(path, open_memory().tokens, NOW) == 1


def _tear(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"outcome": "ok", "tok')


async def test_a_bulk_cancel_ends_the_search(tmp_path: Path) -> None:
    """Tokens from before a bulk cancel may have been among those it cancelled."""
    path, bulk = tmp_path / "audit.log", {"outcome": "ok", "cancelled": "2"}
    assert await _lost(path, _issued("a"), _issued("b"), bulk) == 0
    assert await _lost(path, _issued("a"), bulk, _issued("b")) == 1


async def test_a_cancel_of_one_token_does_not_end_the_search(tmp_path: Path) -> None:
    """A line that names the one token it ended says nothing of others, nor does one of none."""
    path = tmp_path / "audit.log"
    one = {"outcome": "ok", "token_alias": "b", "cancelled": "1"}
    assert await _lost(path, _issued("a"), _issued("b"), one) == 1
    assert await _lost(path, _issued("a"), {"outcome": "ok", "cancelled": "0"}) == 1
    assert await _lost(path, _issued("a"), {**one, "cancelled": "2"}) == 0
    assert await _lost(path, _issued("a"), {"outcome": "ok", "cancelled": "1"}) == 0


async def test_only_the_end_is_read(tmp_path: Path) -> None:
    """Of a long file the end is read, whatever line it begins in."""
    filler = {"outcome": "ok", "operation": "x" * MAX_TAIL_BYTES}
    assert await _lost(tmp_path / "audit.log", _issued("a"), filler, _issued("b")) == 1
