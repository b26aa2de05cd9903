"""What the driver's parent and its processes tell each other: one JSON object a line."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bench.driver.load import Closed, Stage
from bench.driver.record import Tally
from bench.driver.schedule import Segment
from bench.histogram import Histogram

HISTOGRAMS = ("latency", "service", "lag")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a driver process is made with."""

    sender: Mapping[str, Any] = field(repr=False)
    """For :func:`bench.driver.sender.made`; it may hold credentials, so it goes by a pipe."""
    pool: str
    part: int
    parts: int
    lanes: int
    """Most requests that this process has under way at once."""
    seed: int
    timeout: float
    """Seconds that an answer may take."""
    different: int = 0
    """How many bodies, from the first on, show a token of their own; 0: all."""


@dataclass(frozen=True, slots=True)
class Order:
    """One stage. Seconds count from the common start.

    Its windows are measured each for itself: one in a stage, several in a ramp.
    """

    name: str
    """Different for each stage of a run: a part of the seed."""
    bounds: tuple[float, ...]
    """Where windows begin, and where the last of them ends."""
    segments: tuple[Segment, ...] = ()
    """The rate over time, of all processes together; none in a closed model."""
    arrivals: str = "even"
    in_flight: int = 0
    """Of all processes together, in a closed model."""

    @classmethod
    def of(cls, stage: Stage, name: str) -> Order:
        """Raises ValueError for a stage that lasts no time or loads nothing."""
        begin, end = stage.warm_up, stage.warm_up + stage.seconds
        if stage.seconds <= 0 or stage.warm_up < 0:
            raise ValueError("a stage lasts longer than 0 s, its warm-up no less than 0 s")
        if isinstance(stage.load, Closed):
            if stage.load.in_flight < 1:
                raise ValueError("a closed model needs a request in flight")
            return cls(name, (begin, end), in_flight=stage.load.in_flight)
        if stage.load.rate <= 0:
            raise ValueError("the rate must be more than 0 requests a second")
        segment = Segment(stage.load.rate, stage.load.rate, end)
        return cls(name, (begin, end), (segment,), stage.load.arrivals)

    def share(self, setup: Setup) -> int:
        """The lanes that a process uses: all of them in an open model."""
        if self.segments:
            return setup.lanes
        shares = divmod(self.in_flight, setup.parts)
        return shares[0] + (setup.part < shares[1])

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Order:
        segments = tuple(Segment(**segment) for segment in given["segments"])
        return cls(**{**given, "bounds": tuple(given["bounds"]), "segments": segments})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a process is."""

    sent: int
    answered: int
    failed: int
    in_flight: int
    waiting: int
    latencies: tuple[float, ...]
    """Some of the latest, in seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one process saw in one window."""

    tally: Tally
    cpu: float
    """CPU seconds for each second of the window."""
    fresh: int
    samples: tuple[tuple[int, bytes], ...]
    """Number of the body in the pool, and the answer."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """What the stage's first answer of each kind of error said."""

    def written(self) -> dict[str, Any]:
        """For JSON."""
        tally = {one.name: getattr(self.tally, one.name) for one in fields(Tally)}
        for name in HISTOGRAMS:
            tally[name] = tally[name].encoded()
        samples = [(number, base64.b64encode(body).decode()) for number, body in self.samples]
        rest = {"cpu": self.cpu, "fresh": self.fresh, "refusals": dict(self.refusals)}
        return {"tally": tally, "samples": samples, **rest}

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Part:
        tally = dict(given["tally"])
        for name in HISTOGRAMS:
            tally[name] = Histogram.decoded(tally[name])
        tally["errors"] = Counter(tally["errors"])
        samples = tuple((number, base64.b64decode(body)) for number, body in given["samples"])
        return cls(Tally(**tally), given["cpu"], given["fresh"], samples, given["refusals"])


def line(kind: str, value: object) -> bytes:
    """``{"<kind>": value}`` and a line feed."""
    return json.dumps({kind: value}).encode() + b"\n"
