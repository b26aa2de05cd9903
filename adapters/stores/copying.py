"""``remint store copy``: everything in a store moves to another one, and is compared afterwards.

The target is marked until the end, and no broker opens it before. What a run writes is found again
by the next one, which writes what differs and removes what is no longer in the source: a copy that
was broken off, by SIGKILL too, is finished by running it again. At last both stores are read as a
whole and compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.keys.deployment import KeyWrapper
from adapters.stores.copy_marks import Work
from adapters.stores.copy_parts import Item, Kind
from adapters.stores.copy_sides import opened_sides
from adapters.stores.copy_sqlite import LeftBehind


@dataclass(frozen=True, slots=True)
class Step:
    """How far a run is: at the step ``name`` (copy, then compare) of a kind, ``done`` of ``total``
    things if that is known, and at its end at last."""

    kind: str
    name: str
    done: int
    total: int | None
    ended: bool = False


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class KindReport:
    """What became of one kind. The digests are SHA-256 over all there is, in order of reading."""

    name: str
    in_source: int
    in_target: int
    written: int
    removed: int
    source_digest: str
    target_digest: str
    changed: bool

    @property
    def agrees(self) -> bool:
        return self.in_source == self.in_target and self.source_digest == self.target_digest


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a run. Only a complete copy is open to brokers."""

    kinds: tuple[KindReport, ...]
    left_behind: LeftBehind
    source_changed: bool

    @property
    def complete(self) -> bool:
        return not self.source_changed and all(kind.agrees for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class _Copied:
    written: int
    removed: int
    source_digest: str


async def copy(
    source: str,
    target: str,
    wrappers: Sequence[KeyWrapper],
    *,
    realms: Sequence[str],
    leave_behind: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """Copy the store behind one URL into the one behind another, or go on with that.

    ``realms`` are those that settings declare. Raises CopyRefused and the errors of
    ``open_stores``.
    """
    async with opened_sides(source, target, wrappers, realms, leave_behind=leave_behind) as sides:
        made = [(kind, await _copied(kind, sides.work, progress)) for kind in sides.kinds]
        reports = [await _compared(kind, done, progress) for kind, done in made]
        changed = sides.source_changed() or any(kind.changed for kind in reports)
        report = Report(tuple(reports), sides.left_behind, changed)
        if report.complete:
            await sides.work.finish()
        return report


async def _copied(kind: Kind[Any], work: Work, progress: Progress) -> _Copied:
    """Bring the target to what the source is. A target that this run made holds nothing yet."""
    removed = 0 if work.fresh else await _removed(kind, work)
    total = await kind.source.count()
    digest = hashlib.sha256()
    done = written = 0
    progress(Step(kind.name, "copy", 0, total))
    async for items in kind.source.chunks():
        await work.require()
        written += await _written(kind, items, fresh=work.fresh)
        for item in items:
            digest.update(_line(item.key, item.content))
        done += len(items)
        progress(Step(kind.name, "copy", done, total))
    progress(Step(kind.name, "copy", done, total, ended=True))
    return _Copied(written, removed, digest.hexdigest())


async def _written(kind: Kind[Any], items: list[Item[Any]], *, fresh: bool) -> int:
    """How many of them the target did not have, or had otherwise."""
    if fresh:
        await kind.target.write(items)
        return len(items)
    found = await kind.target.found(items)
    pairs = [(item, have) for item, have in zip(items, found, strict=True) if have != item.content]
    stale = [item.key for item, have in pairs if have is not None]
    if stale:
        await kind.target.remove(stale)
    if pairs:
        await kind.target.write([item for item, _ in pairs])
    return len(pairs)


async def _removed(kind: Kind[Any], work: Work) -> int:
    """Remove what the source does not have (any more); how many that were."""
    wanted = {item.key async for items in kind.source.chunks() for item in items}
    removed = 0
    async for keys in kind.target.all_keys():
        extra = [key for key in keys if key not in wanted]
        if extra:
            await work.require()
            await kind.target.remove(extra)
            removed += len(extra)
    return removed


async def _compared(kind: Kind[Any], done: _Copied, progress: Progress) -> KindReport:
    """Read both sides, as a whole and anew."""
    source, target = hashlib.sha256(), hashlib.sha256()
    total = await kind.source.count()
    in_source = 0
    progress(Step(kind.name, "compare", 0, total))
    async for items in kind.source.chunks():
        found = await kind.target.found(items)
        for item, have in zip(items, found, strict=True):
            source.update(_line(item.key, item.content))
            target.update(_line(item.key, have))
        in_source += len(items)
        progress(Step(kind.name, "compare", in_source, total))
    progress(Step(kind.name, "compare", in_source, total, ended=True))
    return KindReport(
        name=kind.name,
        in_source=in_source,
        in_target=sum([len(keys) async for keys in kind.target.all_keys()]),
        written=done.written,
        removed=done.removed,
        source_digest=source.hexdigest(),
        target_digest=target.hexdigest(),
        changed=source.hexdigest() != done.source_digest,
    )


def _line(key: Hashable, content: bytes | None) -> bytes:
    """Written so that no two things look the same; what is not there looks like nothing that is."""
    name = repr(key).encode("utf-8", "surrogatepass")
    body = b"-" if content is None else b"+" + content
    return b"%d %s %d %s" % (len(name), name, len(body), body)
