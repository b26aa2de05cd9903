"""The options of a load and of its rules, for every command that loads something."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from bench.driver.loading import Search
    from bench.driver.plan import Planned
    from bench.target import Likeness

SECONDS = 10.0
WARM_UP = 0.2
"""Of the duration, where nothing else is said."""
SEED = 1
MOST_AT_ONCE = 10_000
"""Requests in flight, and connections: more than these are no longer one machine's load."""
_LOAD = "The load: one of --rate, --in-flight, --ramp, --steps, --saturate"
_RULES = "What counts"


class Arrivals(StrEnum):
    """When requests of an open model begin."""

    EVEN = "even"
    POISSON = "poisson"


Rate = Annotated[
    float | None,
    typer.Option(min=0.01, help="Open: requests begun a second.", rich_help_panel=_LOAD),
]
InFlight = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_AT_ONCE, help="Closed: requests under way at once.", rich_help_panel=_LOAD
    ),
]
RampOf = Annotated[
    str | None,
    typer.Option("--ramp", help="FROM:TO:SECONDS, rates a second.", rich_help_panel=_LOAD),
]
Steps = Annotated[
    str | None, typer.Option(help="Rates in turn: 100,200,400.", rich_help_panel=_LOAD)
]
Saturate = Annotated[
    bool,
    typer.Option("--saturate", help="Find the highest rate kept up.", rich_help_panel=_LOAD),
]
Duration = Annotated[
    float, typer.Option(min=0.1, help="Seconds a stage that count.", rich_help_panel=_LOAD)
]
WarmUp = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds before, a fifth of those.", rich_help_panel=_LOAD),
]
ArrivalsOf = Annotated[
    Arrivals,
    typer.Option("--arrivals", help="Distances between requests.", rich_help_panel=_LOAD),
]
Connections = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_AT_ONCE, help="As many as are in flight; open: 100.", rich_help_panel=_LOAD
    ),
]
Processes = Annotated[
    int,
    typer.Option(min=0, help="Of the driver; 0: half as many as cores.", rich_help_panel=_LOAD),
]
Timeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds that an answer may take.", rich_help_panel=_LOAD)
]
Seed = Annotated[int, typer.Option(help="Of arrivals and samples.", rich_help_panel=_LOAD)]
Pid = Annotated[
    list[str] | None,
    typer.Option(help="NAME=PID of a server's process; its tree counts.", rich_help_panel=_RULES),
]
Metrics = Annotated[
    str, typer.Option(help="The server's Prometheus page: cache hits.", rich_help_panel=_RULES)
]
AllowErrors = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Part that may fail.", rich_help_panel=_RULES),
]
AllowCaches = Annotated[
    bool, typer.Option("--allow-caches", help="Caches may answer.", rich_help_panel=_RULES)
]
Verify = Annotated[
    bool,
    typer.Option("--verify/--no-verify", help="Judge 1 % of answers.", rich_help_panel=_RULES),
]
P99 = Annotated[
    float,
    typer.Option("--p99", min=0.1, help="--saturate: most milliseconds.", rich_help_panel=_RULES),
]
Name = Annotated[
    str | None, typer.Option(help="What the result calls the server.", rich_help_panel=_RULES)
]
Out = Annotated[
    Path | None,
    typer.Option(help="The JSON document.", dir_okay=False, rich_help_panel=_RULES),
]
LikenessOf = Annotated[
    Path | None,
    typer.Option(
        "--likeness",
        help="TOML or JSON: what a figure includes, for comparisons.",
        dir_okay=False,
        rich_help_panel=_RULES,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]


def plan_of(
    rate: float | None,
    in_flight: int | None,
    ramp: str | None,
    steps_of: str | None,
    saturate: bool,
    *,
    seconds: float,
    warm_up: float,
    arrivals: Arrivals,
    p99: float,
    allow_errors: float,
) -> Sequence[Planned] | Search:
    """What the options ask for; ``p99`` in milliseconds. Raises NotPlanned."""
    from bench.driver.load import Closed, Load, Open, Stage
    from bench.driver.loading import Search
    from bench.driver.plan import NotPlanned, Planned, Ramp, steps
    from bench.driver.search import FIRST_RATE, Bounds

    given = [one for one in (in_flight, ramp, steps_of, saturate or None) if one is not None]
    if len(given) > 1 or (rate is not None and given and not saturate) or not (given or rate):
        raise NotPlanned("give one of --rate, --in-flight, --ramp, --steps and --saturate")
    kind: Literal["even", "poisson"] = "even" if arrivals is Arrivals.EVEN else "poisson"
    if saturate:
        bounds = Bounds(p99=p99 / 1000, errors=allow_errors)
        return Search(seconds, warm_up, kind, rate or FIRST_RATE, bounds)
    if ramp is not None:
        return [Ramp.read(ramp).planned(kind, warm_up)]
    loads: list[Load]
    if steps_of is not None:
        loads = [Open(step, kind) for step in steps(steps_of)]
    elif in_flight is not None:
        loads = [Closed(in_flight)]
    else:
        loads = [Open(rate or FIRST_RATE, kind)]
    return [
        Planned.of(Stage(one, seconds, warm_up), f"stage {number}")
        for number, one in enumerate(loads)
    ]


def likeness_of(path: Path | None) -> Likeness | None:
    """The likeness table that the result carries. Raises NotPrepared."""
    from bench.likeness import likeness_in

    return likeness_in(path) if path else None


def pids_of(given: Sequence[str]) -> dict[str, int]:
    """Processes by name."""
    found = {}
    for text in given:
        name, _, number = text.rpartition("=")
        if not name or not number.isdigit():
            raise typer.BadParameter(f"--pid takes NAME=PID, as in remint=4711, not {text}")
        found[name] = int(number)
    return found
