"""Every plot of the report, in its order, and what is said where its data are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.report.groups import Group
from bench.report.look import Plot
from bench.report.plots import cases, latency, servers
from bench.result import Table


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of plot; there may be several of it, or none."""

    name: str
    draw: Callable[[Sequence[Group], Sequence[Table]], Iterator[Plot]]
    needs: str
    """What must be there to draw one."""


KINDS: tuple[Kind, ...] = (
    Kind(
        "Latency against offered rate",
        lambda groups, _: latency.against_rate(groups),
        "a run over HTTP with two stages of the open model (--steps, --ramp or --saturate)",
    ),
    Kind(
        "Latency distribution",
        lambda groups, _: latency.distribution(groups),
        "a run with an answered request",
    ),
    Kind(
        "Publish to answer, and lag, against offered rate",
        lambda groups, _: latency.by_message(groups),
        "a run over AMQP or MQTT with two stages of the open model",
    ),
    Kind(
        "Tokens a second against workers",
        lambda _, tables: cases.against_workers(tables),
        "a case with two numbers of workers",
    ),
    Kind(
        "By algorithm",
        lambda _, tables: cases.by_algorithm(tables),
        "a case by algorithm",
    ),
    Kind(
        "CPU for each token beside its floor",
        lambda _, tables: cases.beside_floor(tables),
        "a case with a floor",
    ),
    Kind(
        "CPU for each token by process",
        lambda groups, _: servers.by_process(groups),
        "a run that watched the server's processes (--pid)",
    ),
    Kind(
        "Servers side by side",
        lambda groups, _: servers.side_by_side(groups),
        "runs of two servers that were asked the same, with their processes watched",
    ),
)
