"""Subject tokens made before a run: JWTs, each with a ``jti`` of its own.

An RSA signature takes a third of a millisecond, so that many of them are made on several processes.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from bench.target.keys import MintKey
from bench.target.progress import progress

CHUNK = 500
ALONE = 4 * CHUNK
"""Up to here starting processes costs more than it saves."""
MAX_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What minted tokens say: RFC 7519, section 4.1. ``lifetime`` is in seconds.

    ``{number}`` in ``subject`` becomes the number of the token.
    """

    issuer: str
    audience: str
    subject: str = "bench"
    lifetime: int = 3600
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims, which replace none of these."""
    turns: tuple[Mapping[str, Any], ...] = ()
    """Claims of some subjects in turn, which replace any but ``iat`` and ``jti``."""


def minted(
    key: MintKey, plan: Plan, number: int, *, processes: int = 0, quiet: bool = True
) -> Iterator[str]:
    """So many compact JWTs; ``processes`` 0 takes as many as there are cores."""
    series = secrets.token_hex(8)
    parts = [range(at, min(at + CHUNK, number)) for at in range(0, number, CHUNK)]
    work = partial(_part, key.pem, key.kid, plan, series, int(time.time()))
    with progress("signing subject tokens", number, quiet=quiet) as advance:
        for part in _worked(work, parts, processes or os.cpu_count() or 1, number):
            yield from part
            advance(len(part))


def _worked(
    work: partial[list[str]], parts: list[range], processes: int, number: int
) -> Iterator[list[str]]:
    if processes == 1 or number <= ALONE:
        yield from map(work, parts)
        return
    # A forked child would inherit threads' locks: of logging, of the progress bar.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(processes, MAX_PROCESSES)) as pool:
        yield from pool.imap(work, parts)


def _part(pem: bytes, kid: str, plan: Plan, series: str, now: int, numbers: range) -> list[str]:
    key = _parsed(pem, kid)
    head = _encoded({"alg": key.algorithm, "typ": "JWT", "kid": key.kid})
    return [_token(key, head, plan, series, now, number) for number in numbers]


def _token(key: MintKey, head: bytes, plan: Plan, series: str, now: int, number: int) -> str:
    claims = {
        **plan.claims,
        "iss": plan.issuer,
        "sub": plan.subject.replace("{number}", str(number)),
        "aud": plan.audience,
        "exp": now + plan.lifetime,
        **(plan.turns[number % len(plan.turns)] if plan.turns else {}),
        "iat": now,
        "jti": f"{series}-{number}",
    }
    signed = head + b"." + _encoded(claims)
    return (signed + b"." + _text(key.signature(signed))).decode("ascii")


_keys: dict[tuple[bytes, str], MintKey] = {}


def _parsed(pem: bytes, kid: str) -> MintKey:
    """Parsing a private key checks it, which takes as long as a hundred signatures."""
    if (pem, kid) not in _keys:
        _keys.clear()
        _keys[pem, kid] = MintKey.of(pem, kid)
    return _keys[pem, kid]


def _encoded(members: Mapping[str, Any]) -> bytes:
    return _text(orjson.dumps(members))


def _text(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
