"""What makes figures invalid: each rule a limit and a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from bench.driver.load import Open
from bench.result import Measured
from bench.target import Target

MAX_LAG_SECONDS = 0.005
"""At the 99th percentile: beyond it the schedule was not kept, and the driver was measured."""
MAX_DRIVER_CPU = 0.9
"""Of a core, for the busiest driver process."""
MAX_UNKEPT = 0.02
"""Part of the offered rate that an unsaturated server may leave unanswered."""
MAX_STEAL = 0.05
MIN_CHECKED = 0.01
SAMPLING_DEVIATIONS = 4.0
"""Answers are drawn by lot; so many standard deviations below the share are chance."""
PERCENTILE = 99.0


def judged(
    measured: Measured,
    *,
    target: Target | None = None,
    saturated: bool = False,
    allow_errors: float = 0.0,
    headline: bool = True,
    checked: bool = True,
) -> Measured:
    """The same with ``problems`` added to those it has.

    ``target`` tells whether each request needed a subject token of its own. ``saturated``: the
    server is meant not to keep up. ``allow_errors``: part of the requests, 0 to 1, that may fail.
    ``headline``: no cache may have answered. ``checked``: answers can be verified at all.
    """
    found = [
        *_of_the_driver(measured),
        *_of_the_machine(measured),
        *_of_the_answers(measured, saturated=saturated, allow_errors=allow_errors),
        *_of_the_tokens(measured, target),
        *(_of_the_caches(measured) if headline else ()),
        *(_of_the_checks(measured) if checked else ()),
    ]
    new = [problem for problem in found if problem not in measured.problems]
    return replace(measured, problems=(*measured.problems, *new))


def _of_the_driver(measured: Measured) -> Iterator[str]:
    lag = measured.lag.percentile(PERCENTILE)
    if lag > MAX_LAG_SECONDS:
        yield (
            f"requests began late: 1 % of them by more than {lag * 1e3:.1f} ms, and no more than"
            f" {MAX_LAG_SECONDS * 1e3:.0f} ms is allowed; lower the rate or add --processes"
        )
    if measured.driver_cpu > MAX_DRIVER_CPU:
        yield (
            f"a driver process was busy for {measured.driver_cpu:.0%} of the time, and no more than"
            f" {MAX_DRIVER_CPU:.0%} is allowed; add --processes or take another machine for it"
        )


def _of_the_machine(measured: Measured) -> Iterator[str]:
    if measured.steal > MAX_STEAL:
        yield (
            f"the host gave {measured.steal:.0%} of the machine's time to others, and no more than"
            f" {MAX_STEAL:.0%} is allowed"
        )


def _of_the_answers(measured: Measured, *, saturated: bool, allow_errors: float) -> Iterator[str]:
    if not measured.answered:
        yield "nothing was answered" + (f" well ({_kinds(measured)})" if measured.errors else "")
        return
    failed = sum(measured.errors.values())
    if measured.sent and failed / measured.sent > allow_errors:
        yield (
            f"{failed} of {measured.sent} requests failed ({_kinds(measured)}), and no more than"
            f" {allow_errors:.2%} may"
        )
    if isinstance(measured.stage.load, Open) and not saturated:
        offered = measured.sent / measured.stage.seconds if measured.stage.seconds else 0.0
        # The last answer comes after the last request began; that wait is no backlog.
        seconds = max(measured.seconds - measured.latency.percentile(50.0), 0.0)
        reached = measured.answered / seconds if seconds else 0.0
        if reached < offered * (1 - MAX_UNKEPT):
            yield (
                f"the server did not keep up: {reached:.0f} of {offered:.0f} a second were"
                " answered; its saturation is measured by --saturate or --in-flight"
            )


def _kinds(measured: Measured) -> str:
    return ", ".join(f"{kind}: {number}" for kind, number in sorted(measured.errors.items()))


def _of_the_tokens(measured: Measured, target: Target | None) -> Iterator[str]:
    different = measured.distinct
    if target is not None and hasattr(target, "subjects"):
        if target.subjects is None:
            return
        different = min(target.subjects, measured.distinct)
    if different < measured.sent:
        yield (
            f"{measured.sent} requests showed {different} different tokens: a cache may have"
            " answered; prepare as many as are sent, by --requests, --sessions or --subjects"
        )


def _of_the_caches(measured: Measured) -> Iterator[str]:
    for name, part in sorted(measured.caches.items()):
        if part > 0:
            yield f"the cache {name} answered {part:.1%} of what it was asked; turn it off"


def _of_the_checks(measured: Measured) -> Iterator[str]:
    wanted = measured.answered * MIN_CHECKED
    least = math.ceil(wanted - SAMPLING_DEVIATIONS * math.sqrt(wanted))
    if measured.answered and measured.checked < max(1, least):
        yield (
            f"{measured.checked} of {measured.answered} answers were verified, fewer than"
            f" {MIN_CHECKED:.0%}"
        )
