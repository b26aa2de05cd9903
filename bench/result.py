"""What a run leaves: a JSON document with everything that a reader needs to doubt or repeat it.

One document is one run: the machine, what was loaded, and its stages. A table of a case is another
kind of document (``bench.cases``); both carry the same :class:`Circumstances`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.driver.load import Closed, Load, Open, Stage
from bench.histogram import Histogram
from bench.shape import checked
from bench.target import Likeness

RUN_FORMAT = "remint-bench-run/1"
TABLE_FORMAT = "remint-bench-table/1"


class NoResult(Exception):
    """A file that is no result of this bench."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where, when and with what: made by ``bench.machine.circumstances``."""

    at: str
    """UTC, ISO 8601."""
    commit: str
    """Of the checkout, with ``+`` behind it if that was changed; ``unknown`` elsewhere."""
    command: str
    seed: int
    machine: Mapping[str, str | int | float]
    """CPU model, cores, memory, kernel, and so on."""
    versions: Mapping[str, str]
    configuration: Mapping[str, str]
    """What was set on the server and matters; no secrets."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one stage showed, all driver processes together, without its warm-up."""

    stage: Stage
    seconds: float
    """From the first counted request to the last counted answer."""
    sent: int
    answered: int
    errors: Mapping[str, int]
    """Requests without a good answer, by kind: ``status 503``, ``timeout``, ``connection``…"""
    latency: Histogram
    """From the intended start of a request to its answer (open), or from its start (closed)."""
    service: Histogram
    """From the moment when a request was sent to its answer."""
    lag: Histogram
    """How late requests began: the driver's own fault. Empty in a closed model."""
    driver_cpu: float
    """The busiest driver process: CPU seconds for each second of the stage."""
    distinct: int
    """Requests whose body none had before in the run, warm-up and earlier stages included."""
    server_cpu: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds that each of the server's processes took in the stage, by name."""
    server_memory: Mapping[str, int] = field(default_factory=dict)
    """Resident bytes at the end, by name."""
    steal: float = 0.0
    """Part of the machine's time that its host gave to others, 0 to 1."""
    caches: Mapping[str, float] = field(default_factory=dict)
    """Hit rate of each cache that the server tells of, 0 to 1."""
    checked: int = 0
    """Answers whose signature, claims and id were verified."""
    problems: tuple[str, ...] = ()
    """Why these figures are not valid; empty if they are."""
    queued: int | None = None
    """Most messages that waited in the request queue; None where there is none to look at."""
    batch: int = 1
    """Requests in each message; ``sent``, ``answered`` and latencies count messages."""

    @property
    def tokens(self) -> int:
        """Good answers to requests, all of a message's counted."""
        return self.answered * self.batch

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_token(self) -> float:
        """CPU seconds of all the server's processes for a token; 0 if none was measured."""
        return sum(self.server_cpu.values()) / self.tokens if self.tokens else 0.0

    @property
    def valid(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Run:
    """One run against one target."""

    name: str
    """What was loaded, such as ``Remint`` or ``oidc-provider``."""
    request: str
    """The kind of request, such as ``jwt-to-rs256``, or the target's kind."""
    circumstances: Circumstances
    stages: tuple[Measured, ...]
    likeness: Likeness | None = None
    transport: str = "http"
    """``http``, ``amqp`` or ``mqtt``; by message a latency runs from publishing to the answer."""

    @property
    def valid(self) -> bool:
        return all(stage.valid for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a case: rounds of ours and of its floor, taken in turn.

    ``floor`` may be empty: then ``ours`` stands alone.
    """

    label: str
    unit: str
    ours: tuple[float, ...]
    floor: tuple[float, ...] = ()
    target: float | None = None
    """The ratio to be reached; None where none is set."""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    """What plots need: ``algorithm``, ``workers``, ``store``, ``tokens_per_second``… and as
    ``cpu_NAME`` (``cpu_redis``, ``cpu_rabbitmq``) what another process took, in the row's unit."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Round by round."""
        return (
            tuple(a / b for a, b in zip(self.ours, self.floor, strict=True)) if self.floor else ()
        )


@dataclass(frozen=True, slots=True)
class Table:
    """What a case measured."""

    case: str
    title: str
    formula: str
    """What the floor is made of, such as ``echo + RSA verification + RSA signature``."""
    circumstances: Circumstances
    rows: tuple[Row, ...]
    problems: tuple[str, ...] = ()


def write(path: Path, document: Run | Table) -> None:
    """Raises OSError."""
    form = RUN_FORMAT if isinstance(document, Run) else TABLE_FORMAT
    text = json.dumps({"format": form, **asdict(document)}, default=_plain, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def read(path: Path) -> Run | Table:
    """Raises OSError, NoResult."""
    try:
        given = json.loads(path.read_text(), parse_constant=_no_number)
        form = given.pop("format")
        if form in (RUN_FORMAT, TABLE_FORMAT):
            document = _run(given) if form == RUN_FORMAT else _table(given)
            checked(document)
            return document
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoResult(f"{path} is no result of this bench") from error
    raise NoResult(f"{path} has the format {form}, which this version does not read")


def _plain(value: object) -> object:
    if isinstance(value, Histogram):
        return value.encoded()
    raise TypeError(type(value).__name__)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no figure")


def _run(given: dict[str, Any]) -> Run:
    likeness = given.pop("likeness")
    return Run(
        circumstances=Circumstances(**given.pop("circumstances")),
        stages=tuple(_measured(stage) for stage in given.pop("stages")),
        likeness=Likeness(**likeness) if likeness else None,
        **given,
    )


def _table(given: dict[str, Any]) -> Table:
    return Table(
        circumstances=Circumstances(**given.pop("circumstances")),
        rows=tuple(_row(row) for row in given.pop("rows")),
        problems=tuple(given.pop("problems")),
        **given,
    )


def _row(given: dict[str, Any]) -> Row:
    for name in ("ours", "floor"):
        given[name] = tuple(given[name])
    return Row(**given)


def _measured(given: dict[str, Any]) -> Measured:
    for name in ("latency", "service", "lag"):
        given[name] = Histogram.decoded(given[name])
    stage = given.pop("stage")
    load: Load = (Open if stage["load"]["model"] == "open" else Closed)(**stage.pop("load"))
    given["problems"] = tuple(given["problems"])
    return Measured(stage=Stage(load=load, **stage), **given)
