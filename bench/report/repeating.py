"""How to repeat what was measured: command, commit, seed, machine, versions, configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.report.blocks import Block, Code, Grid, Heading, Words
from bench.report.gather import Gathered
from bench.report.groups import steady
from bench.result import Circumstances


def steps(found: Gathered) -> Iterator[Block]:
    """Each different set of circumstances once, with all its commands."""
    yield Heading("How to repeat it")
    yield Words(
        "Check out the commit, install it, and give the command on a machine of this kind. "
        "A + behind a commit means that the checkout had been changed: such a figure cannot be "
        "repeated by others."
    )
    kinds: dict[object, list[Circumstances]] = {}
    for at in circumstances(found):
        kinds.setdefault((at.commit, at.seed, *map(_frozen, _facts(at))), []).append(at)
    for several in kinds.values():
        yield from _kind(several)


def circumstances(found: Gathered) -> list[Circumstances]:
    """Of all documents."""
    return [run.circumstances for run in found.runs] + [t.circumstances for t in found.tables]


def _kind(several: list[Circumstances]) -> Iterator[Block]:
    one = several[0]
    yield Heading(f"Commit {one.commit}, seed {one.seed}", 3)
    yield Code("\n".join(dict.fromkeys(at.command for at in several)))
    rows = [
        (title, ", ".join(f"{name}: {value}" for name, value in facts.items()) or "-")
        for title, facts in zip(("machine", "versions", "configuration"), _facts(one), strict=True)
    ]
    yield Grid(("", "as it was"), rows, wordy=True)


def _facts(at: Circumstances) -> tuple[Mapping[str, object], ...]:
    return steady(at.machine), at.versions, at.configuration


def _frozen(facts: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(facts.items()))
