"""Requests that are encrypted to the server's key, and answers that come back encrypted.

As Remint takes them by message: a compact JWE (RFC 7516) to a key of its JWKS, with a ``reply_jwk``
inside for the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from bench.parts import opened, paired, plain
from bench.target import NotPrepared, Target, WrongAnswer
from bench.target.asking import UNREACHABLE, answered, asking, members, waited
from bench.target.progress import progress

ALGORITHMS = ("ECDH-ES", "RSA-OAEP-256")
"""The first that the server has a key for is taken."""
CONTENT = "A256GCM"


class Sealed:
    """A target whose requests are another's, encrypted before the run.

    A body is a pair of ``bench.parts``. ``reply_key`` is the private key that answers come
    encrypted to.
    """

    def __init__(self, target: Target, keys: Mapping[str, Any], *, quiet: bool = False) -> None:
        """``keys``: the server's JWK set. Raises NotPrepared."""
        self._target, self._quiet = target, quiet
        self._header, self._key = _chosen(keys)
        self.reply_key = ECKey.generate_key("P-256")
        self.kind = target.kind
        self.url = target.url
        self.head: Mapping[str, str] = target.head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)  # subjects, where the other has it

    def bodies(self, number: int) -> Iterator[bytes]:
        """Raises NotPrepared."""
        reply = self.reply_key.as_dict(private=False)
        bodies = self._target.bodies(number)
        first = list(islice(bodies, 1))  # what has to be made before it shows its own progress
        with progress("encrypting", number, quiet=self._quiet) as advance:
            for body in chain(first, bodies):
                text = orjson.dumps({**members(body), "reply_jwk": reply})
                sealed = jwe.encrypt_compact(self._header, text, self._key, [*ALGORITHMS, CONTENT])
                yield paired(body, sealed.encode())
                advance(1)

    def token(self, answer: bytes) -> str:
        """Raises WrongAnswer."""
        return self._target.token(self._opened(answer))

    def check(self, body: bytes, answer: bytes) -> str:
        """Raises WrongAnswer."""
        return self._target.check(plain(body), self._opened(answer))

    async def check_kept(self, answers: list[bytes]) -> None:
        """Raises WrongAnswer."""
        await self._target.check_kept([self._opened(answer) for answer in answers])

    def _opened(self, answer: bytes) -> bytes:
        try:
            return opened(answer, self.reply_key)
        except ValueError as error:
            raise WrongAnswer(str(error)) from None


def keys_at(place: str, ca: Path | None) -> Mapping[str, Any]:
    """The JWK set at a URL or in a file. Raises NotPrepared."""
    try:
        if "://" in place:
            return waited(_fetched(place, ca))
        return members(Path(place).read_bytes())
    except (OSError, ValueError, WrongAnswer):
        raise NotPrepared(f"{place} gives no JWK set to encrypt to") from None


async def _fetched(url: str, ca: Path | None) -> Mapping[str, Any]:
    try:
        async with asking(ca) as http:
            status, body = await answered(http, "GET", url)
    except (*UNREACHABLE, aiohttp.ClientError) as error:
        raise NotPrepared(f"{url} did not answer: {type(error).__name__}") from None
    if status != 200:
        raise NotPrepared(f"{url} was answered with {status}")
    return members(body)


def _chosen(keys: Mapping[str, Any]) -> tuple[dict[str, Any], ECKey | RSAKey]:
    listed = keys.get("keys")
    found = [one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict)]
    for algorithm in ALGORITHMS:
        for one in found:
            if one.get("use") == "enc" and one.get("alg") == algorithm and "kid" in one:
                kind = ECKey if algorithm == ALGORITHMS[0] else RSAKey
                try:
                    key = kind.import_key(one)
                except (JoseError, ValueError, TypeError, KeyError):
                    continue
                return {"alg": algorithm, "enc": CONTENT, "kid": one["kid"]}, key
    raise NotPrepared(f"the JWK set has no key to encrypt to by {' or '.join(ALGORITHMS)}")
