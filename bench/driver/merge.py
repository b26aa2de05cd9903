"""The parts of all driver processes, as what one stage showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.driver.load import Open, Stage
from bench.driver.orders import Part
from bench.histogram import Histogram
from bench.result import Measured


def merged(stage: Stage, parts: Sequence[Part], *, begun: float, ended: float) -> Measured:
    """``begun`` and ``ended``: moments of ``time.monotonic()`` between which requests were to
    begin.

    In an open model the time is never shorter than that, since its last request may have begun, and
    been answered, before.
    """
    tallies = [part.tally for part in parts]
    last = max((tally.last_answer for tally in tallies), default=0.0)
    if isinstance(stage.load, Open):
        last = max(last, ended)
    errors: Counter[str] = Counter()
    for tally in tallies:
        errors.update(tally.errors)
    return Measured(
        stage=stage,
        seconds=max(0.0, last - begun),
        sent=sum(tally.sent for tally in tallies),
        answered=sum(tally.answered for tally in tallies),
        errors=dict(errors),
        latency=Histogram.merged(tally.latency for tally in tallies),
        service=Histogram.merged(tally.service for tally in tallies),
        lag=Histogram.merged(tally.lag for tally in tallies),
        driver_cpu=max((part.cpu for part in parts), default=0.0),
        distinct=sum(part.fresh for part in parts),
    )
