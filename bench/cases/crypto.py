"""Signatures and verifications by algorithm: ours, where it is offered, beside the bare call.

What the broker does not offer stands alone, to show what it would cost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adapters.issuers.verification import Check, SecretVerifier, checks_of
from adapters.keys.certificates import der, self_signed
from adapters.keys.private_keys import ALGORITHMS, PrivateKey
from adapters.keys.signers import HmacSigner, KeySigner
from bench.case import Case, Say
from bench.floors import signatures
from bench.result import Row
from bench.rounds import cpu_micros, cpu_micros_awaited, in_turn
from broker.model import ROOT_REALM, Secret
from broker.ports import Signer

DATA = b"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + b"e" * 400
"""About what an ID token's signature covers."""

KINDS: tuple[tuple[str, int], ...] = (
    *((name, 2048) for name in ("RS256", "RS384", "RS512", "PS256")),
    *(("RS256", bits) for bits in (3072, 4096)),
    *((name, 0) for name in ("ES256", "ES384", "ES512", "EdDSA", "HS256")),
)
"""Algorithm, and bits of RSA."""

COORDINATE_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66}


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 5
    signatures: int = 100


def rows(options: Options, say: Say) -> Iterator[Row]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for algorithm, bits in KINDS:
            say(f"{algorithm} {bits or ''}")
            yield from _rows(algorithm, bits, options, runner)


def _rows(algorithm: str, bits: int, options: Options, runner: asyncio.Runner) -> Iterator[Row]:
    key = signatures.key(algorithm, bits)
    name = f"{algorithm}, {bits} bit" if bits else algorithm
    sign, verify = signatures.calls(algorithm, key)
    number, signature = options.signatures, sign(DATA)
    signer, check = _signer(algorithm, key), _check(algorithm, key)
    written = _as_in_jws(algorithm, signature)
    sides = (
        (
            "sign",
            (lambda: runner.run(_signed(signer, number))) if signer else None,
            lambda: cpu_micros(lambda _: sign(DATA), number),
        ),
        (
            "verify",
            (lambda: cpu_micros(lambda _: check(written, DATA), number)) if check else None,
            lambda: cpu_micros(lambda _: verify(signature, DATA), number),
        ),
    )
    for operation, ours, bare in sides:
        yield _row(name, operation, ours, bare, options.rounds, algorithm)


def _row(
    name: str,
    operation: str,
    ours: Callable[[], float] | None,
    bare: Callable[[], float],
    rounds: int,
    algorithm: str,
) -> Row:
    found, *floor = in_turn([ours, bare] if ours else [bare], rounds)
    said = operation if ours else f"{operation}, bare: not offered"
    return Row(
        f"{name}: {said}",
        "µs",
        tuple(found),
        tuple(floor[0]) if floor else (),
        facts={"algorithm": algorithm, "operation": operation, "offered": str(bool(ours))},
    )


def _signer(algorithm: str, key: PrivateKey | bytes) -> Signer | None:
    """Ours, where the broker offers the algorithm."""
    if isinstance(key, bytes):
        return HmacSigner(Secret(key.decode()))
    if algorithm not in ALGORITHMS:
        return None
    return KeySigner(key, der(self_signed(key, ROOT_REALM, time.time())))


def _check(algorithm: str, key: Any) -> Check | None:
    """Ours, where tokens of that algorithm are accepted."""
    if isinstance(key, bytes):
        verifier = SecretVerifier(Secret(key.decode()))
        return lambda signature, data: verifier.verifies(algorithm, signature, data)
    return checks_of(key.public_key()).get(algorithm)


def _as_in_jws(algorithm: str, signature: bytes) -> bytes:
    """RFC 7518, section 3.4: r and s of ECDSA side by side instead of DER."""
    if not algorithm.startswith("ES"):
        return signature
    size = COORDINATE_BYTES[algorithm]
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(signature))


def _signed(signer: Signer, number: int) -> Coroutine[None, None, float]:
    return cpu_micros_awaited(lambda _: signer.sign(DATA), number)


CASE = Case(
    name="crypto",
    title="signatures and verifications by algorithm: CPU, µs each",
    formula="the bare call of cryptography on the same bytes",
    quick=Options(),
    full=Options(rounds=15, signatures=1000),
    rows=rows,
)
