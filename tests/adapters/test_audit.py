"""The audit file: a line for each record, written before anybody hears of the answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import stat
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telemetry.audit import AuditFile, line
from broker.errors import Unavailable
from broker.ports import Attempt, AuditRecord


def _record(**changes: Any) -> AuditRecord:
    members: dict[str, Any] = {
        "operation": "translate",
        "transport": "http",
        "started_at": 1_700_000_000.0,
        "address": "203.0.113.9",
        "requester": "ada",
        "request_id": "r-1",
        "instance": "fred/orders",
        "realm": "/fred",
        "input_type": "USERNAME",
        "output_type": "SAML2",
        "principal": "demo",
        "token_id": "_id",
        "token_alias": "alias",
        "digest": "ab",
        "key_id": "kid",
    }
    attempt = Attempt(**{**members, **changes})
    return AuditRecord(attempt, "ok", None, None, ended_at=1_700_000_000.25)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text().split("\n")[:-1]]


class Writes:
    """Stands in for ``os.write``: notes each call, and fails as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[bytes] = []
        self.plan: list[int | OSError] = []
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.calls.append(bytes(data))
        step = self.plan.pop(0) if self.plan else len(data)
        if isinstance(step, OSError):
            raise step
        return self._write(descriptor, bytes(data)[:step])


def test_members() -> None:
    """A line says when, what, who, from where, with what and how it ended."""
    assert line(_record()) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "operation": "translate",
        "outcome": "ok",
        "transport": "http",
        "address": "203.0.113.9",
        "requester": "ada",
        "request_id": "r-1",
        "realm": "/fred",
        "instance": "fred/orders",
        "input_type": "USERNAME",
        "output_type": "SAML2",
        "principal": "demo",
        "token_id": "_id",
        "token_alias": "alias",
        "digest": "ab",
        "key_id": "kid",
        "milliseconds": 250.0,
    }


def test_members_of_a_refusal() -> None:
    """A refusal's line adds which it was and why; what is unknown is left out."""
    attempt = Attempt("translate", "amqp", 1.0, replayed=True, extra={"answer": "409"})
    found = line(AuditRecord(attempt, "refused", "RequestConflict", "why", 1.0))
    assert found == {
        "time": "1970-01-01T00:00:01.000+00:00",
        "operation": "translate",
        "outcome": "refused",
        "error": "RequestConflict",
        "reason": "why",
        "transport": "amqp",
        "replayed": True,
        "milliseconds": 0.0,
        "answer": "409",
    }


def test_every_member_of_an_attempt_is_told() -> None:
    """What an attempt knows is in its line, or is known not to be a member of it."""
    kept = {field.name for field in dataclasses.fields(Attempt)}
    shown = set(line(_record(replayed=True)))
    assert kept - shown == {"started_at", "recorded", "extra"}


async def test_a_line_for_each_record(tmp_path: Path) -> None:
    """Each record is one line, whatever is in it, and there when ``record`` returns."""
    path = tmp_path / "audit.log"
    audit = AuditFile(path)
    nasty = 'a\nb\r\u2028"\\{\x00'
    for number in range(3):
        await audit.record(_record(request_id=f"{number}", principal=nasty))
        assert [found["request_id"] for found in _lines(path)] == [
            str(n) for n in range(number + 1)
        ]
    audit.close()
    assert path.read_bytes().count(b"\n") == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_grouped_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of one turn of the loop share one write; later ones have another."""
    audit = AuditFile(tmp_path / "audit.log")
    writes = Writes(monkeypatch)
    for _ in range(2):
        await asyncio.gather(*(audit.record(_record(request_id=str(n))) for n in range(50)))
    audit.close()
    assert [call.count(b"\n") for call in writes.calls] == [50, 50]
    assert len(_lines(tmp_path / "audit.log")) == 100


@pytest.mark.parametrize("fsync", [False, True])
async def test_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool) -> None:
    """With ``fsync`` a record waits for the disk, once a group, and without it does not."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    audit = AuditFile(tmp_path / "audit.log", fsync=fsync)
    await asyncio.gather(*(audit.record(_record()) for _ in range(10)))
    audit.close()
    assert len(synced) == (1 if fsync else 0)
    assert len(_lines(tmp_path / "audit.log")) == 10


@pytest.mark.parametrize("fsync", [False, True])
async def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool) -> None:
    """A record that cannot be written is Unavailable for all of its group, and later ones work."""
    audit = AuditFile(tmp_path / "audit.log", fsync=fsync)
    writes = Writes(monkeypatch)
    writes.plan = [OSError(28, "No space left on device")]
    group = [audit.record(_record(request_id=f"lost-{n}")) for n in range(3)]
    ended = await asyncio.gather(*group, return_exceptions=True)
    assert [type(error) for error in ended] == [Unavailable] * 3
    await audit.record(_record(request_id="kept"))
    audit.close()
    assert '"kept"' in (tmp_path / "audit.log").read_text()


async def test_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes the write and then fails to sync it makes the record Unavailable."""

    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    audit = AuditFile(tmp_path / "audit.log", fsync=True)
    with pytest.raises(Unavailable) as refused:
        await audit.record(_record())
    audit.close()
    assert "Input/output" not in refused.value.sentence
    assert "Input/output" in (refused.value.detail or "")


async def test_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes only part goes on where it stopped."""
    audit = AuditFile(tmp_path / "audit.log")
    writes = Writes(monkeypatch)
    writes.plan = [1, 10]
    await audit.record(_record())
    audit.close()
    assert len(writes.calls) == 3
    assert _lines(tmp_path / "audit.log") == [line(_record())]


async def test_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a write that failed half-way the next record still has a line to itself."""
    audit = AuditFile(tmp_path / "audit.log")
    writes = Writes(monkeypatch)
    writes.plan = [10, OSError(28, "No space left on device")]
    with pytest.raises(Unavailable):
        await audit.record(_record(request_id="torn"))
    await audit.record(_record(request_id="whole"))
    await audit.record(_record(request_id="next"))
    audit.close()
    _, *whole = (tmp_path / "audit.log").read_text().splitlines()
    assert [json.loads(text)["request_id"] for text in whole] == ["whole", "next"]


async def test_one_gives_up(tmp_path: Path) -> None:
    """A caller that gives up takes neither its own record nor its neighbours' along."""
    audit = AuditFile(tmp_path / "audit.log")
    tasks = [asyncio.create_task(audit.record(_record(request_id=str(n)))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    audit.close()
    assert [found["request_id"] for found in _lines(tmp_path / "audit.log")] == ["0", "1", "2"]


async def test_appends(tmp_path: Path) -> None:
    """An existing file is added to, and two files on one path write beside each other."""
    path = tmp_path / "audit.log"
    one, other = AuditFile(path), AuditFile(path)
    for number in range(4):
        await (one, other)[number % 2].record(_record(request_id=str(number)))
    one.close()
    other.close()
    again = AuditFile(path)
    await again.record(_record(request_id="4"))
    again.close()
    assert [found["request_id"] for found in _lines(path)] == ["0", "1", "2", "3", "4"]


async def test_several_records_at_once(tmp_path: Path) -> None:
    """Records that come together stand in order, all of them when the call returns."""
    file = AuditFile(tmp_path / "audit.log")
    await file.record_all([_record(request_id=f"r-{number}") for number in range(3)])
    assert [one["request_id"] for one in _lines(tmp_path / "audit.log")] == ["r-0", "r-1", "r-2"]
    file.close()


async def test_what_comes_while_the_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``fsync`` all that comes while the disk is busy waits for one write of its own, and
    says so to those who watch."""
    began, may_end = threading.Event(), threading.Event()
    synced: list[int] = []

    def slow(descriptor: int) -> None:
        synced.append(descriptor)
        began.set()
        assert may_end.wait(30)

    monkeypatch.setattr(os, "fsync", slow)
    audit = AuditFile(tmp_path / "audit.log", fsync=True)
    first = asyncio.create_task(audit.record(_record(request_id="first")))
    assert await asyncio.to_thread(began.wait, 30)
    later = [asyncio.create_task(audit.record(_record(request_id=f"r{n}"))) for n in range(20)]
    await asyncio.sleep(0)  # each has its turn
    assert audit.pending == 21
    assert audit.lag_seconds > 0
    assert [line["request_id"] for line in _lines(tmp_path / "audit.log")] == ["first"]
    may_end.set()
    await asyncio.gather(first, *later)
    assert (audit.pending, audit.lag_seconds) == (0, 0)
    audit.close()
    assert len(synced) == 2
    assert len(_lines(tmp_path / "audit.log")) == 21


@given(st.integers(0, 4_000_000_000_000))
def test_time(millis: int) -> None:
    """The time of a line is that of its record, to the millisecond, in UTC."""
    record = dataclasses.replace(_record(), ended_at=millis / 1000)
    told = datetime.fromisoformat(line(record)["time"])
    assert told.utcoffset() == timedelta(0)
    assert abs(told.timestamp() - millis / 1000) <= 0.0011
