"""Hit rates of the caches that a server tells of: counters on its Prometheus page.

Known are ``…cache_hits_total`` beside ``…cache_misses_total``, ``…cache_requests_total`` (or
``cache_gets_total``) with a label ``result`` of ``hit`` or ``miss``, and Infinispan's
``…statistics_hits`` beside ``…statistics_misses``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.target import NotPrepared
from bench.target.asking import UNREACHABLE, answered, asking

_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_PAIR = re.compile(r"(.*?(?:cache|statistics))_(hit|misse?)s?(?:_total)?")
_BY_RESULT = re.compile(r"(.*cache)_(?:requests|gets)(?:_total)?")
_NAMES = ("cache", "name", "cache_name")
"""Labels that name a cache, where one counter serves several."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a cache was asked so far, and how often it knew."""

    hits: float = 0.0
    misses: float = 0.0


async def counted(url: str, ca: Path | None = None) -> dict[str, Asked]:
    """The caches of a metrics page by name; empty where it tells of none. Raises NotPrepared."""
    try:
        async with asking(ca) as http:
            status, body = await answered(http, "GET", url)
    except (*UNREACHABLE, ValueError) as error:
        raise NotPrepared(f"the metrics page did not answer: {type(error).__name__}") from None
    if status != 200:
        raise NotPrepared(f"the metrics page answered {status}")
    return parsed(body.decode(errors="replace"))


def parsed(page: str) -> dict[str, Asked]:
    """Prometheus text format, version 0.0.4. Lines that are none of ours are passed over."""
    found: dict[str, Asked] = {}
    for line in page.splitlines():
        match = _LINE.fullmatch(line) if not line.startswith("#") else None
        if match is None:
            continue
        labels = dict(_LABEL.findall(match.group(2) or ""))
        told = _told(match.group(1), labels)
        number = _number(match.group(3))
        if told is None or number is None:
            continue
        name, hit = told
        before = found.get(name, Asked())
        found[name] = (
            Asked(before.hits + number, before.misses)
            if hit
            else Asked(before.hits, before.misses + number)
        )
    return found


def hit_rates(before: Mapping[str, Asked], after: Mapping[str, Asked]) -> dict[str, float]:
    """Part of the questions in between that each cache knew, 0 to 1; 0 if nobody asked.

    A counter that went back began anew with its server, and counts from 0.
    """
    rates = {}
    for name, now in after.items():
        then = before.get(name, Asked())
        if now.hits < then.hits or now.misses < then.misses:
            then = Asked()
        hits, misses = now.hits - then.hits, now.misses - then.misses
        rates[name] = hits / (hits + misses) if hits + misses else 0.0
    return rates


def _told(metric: str, labels: Mapping[str, str]) -> tuple[str, bool] | None:
    """The cache and whether its hits are counted; None for another metric."""
    pair, by_result = _PAIR.fullmatch(metric), _BY_RESULT.fullmatch(metric)
    if pair:
        base, hit = pair.group(1), pair.group(2) == "hit"
    elif by_result and labels.get("result") in ("hit", "miss"):
        base, hit = by_result.group(1), labels["result"] == "hit"
    else:
        return None
    named = [labels[name] for name in _NAMES if labels.get(name)]
    return (f"{base} {named[0]}" if named else base), hit


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None
