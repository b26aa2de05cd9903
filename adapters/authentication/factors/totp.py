"""One-time codes by time (TOTP, RFC 6238) of authenticator apps: enrolled, confirmed, checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pyotp

from adapters.authentication.factors.owners import Owner
from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, Conflict, InvalidRequest, NotFound, Unavailable
from broker.factors import Factor, FactorStore
from broker.model import Secret

KIND = "totp"
ID = "1"
"""An account has one authenticator."""

SECRET_BYTES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
"""By algorithm: as many as its hash has (RFC 6238, section 3 and appendix A), 160 bits at least."""

HASHES: dict[str, Callable[..., Any]] = {
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}
DIGITS = (6, 7, 8)
MIN_PERIOD, MAX_PERIOD = 15, 120  # seconds
DEFAULT_WINDOW, MAX_WINDOW = 1, 2
"""How many steps before and after today's count, for clocks that differ and slow fingers."""

PENDING_SECONDS = 3600
"""How long an enrolment waits for its first code."""

MAX_TRIES = 20
"""Of a change that others make at the same time; each that fails was somebody else's success."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How codes are made; the defaults are what every authenticator app understands."""

    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What an authenticator app and the broker share.

    ``floor`` is the first time step whose code may still count; ``made_at`` is in seconds since the
    epoch. One that is not ``confirmed`` lets nobody in. ``kept`` is what it was read from.
    """

    secret: bytes = field(repr=False)
    manner: Manner
    made_at: int
    confirmed: bool = False
    floor: int = 0
    kept: Factor | None = field(default=None, repr=False, compare=False)

    @property
    def base32(self) -> Secret:
        """The secret as apps take it (RFC 4648 section 6, without padding)."""
        return Secret(base64.b32encode(self.secret).decode().rstrip("="))

    def uri(self, name: str, issuer: str) -> Secret:
        """``otpauth://totp/…``, which an app reads from a QR code. It holds the secret."""
        return Secret(self._codes().provisioning_uri(name=name, issuer_name=issuer))

    def step(self, code: str, now: float, window: int) -> int | None:
        """The time step that the code belongs to, of those around ``now``; None for a wrong one.
        Takes the same time for every code."""
        current = int(now // self.manner.period)
        steps = range(max(current - window, 0), current + window + 1)
        given = code if code.isascii() else ""
        codes = self._codes()
        fits = [hmac.compare_digest(codes.generate_otp(step), given) for step in steps]
        return next((step for step, fit in zip(steps, fits, strict=True) if fit), None)

    def ends(self, step: int, window: int) -> int:
        """When the code of a step counts nowhere any more, whatever a broker's clock says."""
        return (step + window + 2) * self.manner.period

    def _codes(self) -> pyotp.TOTP:
        return pyotp.TOTP(
            self.base32.reveal(),
            digits=self.manner.digits,
            digest=HASHES[self.manner.algorithm],
            interval=self.manner.period,
        )


NOBODY = Authenticator(bytes(SECRET_BYTES["SHA1"]), Manner(), made_at=0)
"""Is checked in the place of one that is not there, so that time does not tell."""


def checked_manner(algorithm: object, digits: object, period: object) -> Manner:
    """Raises InvalidRequest."""
    if not isinstance(algorithm, str) or algorithm not in SECRET_BYTES:
        raise InvalidRequest(f"algorithm is one of {', '.join(SECRET_BYTES)}")
    if not isinstance(digits, int) or isinstance(digits, bool) or digits not in DIGITS:
        raise InvalidRequest(f"digits is one of {', '.join(map(str, DIGITS))}")
    whole = isinstance(period, int) and not isinstance(period, bool)
    if not isinstance(period, int) or not whole or not MIN_PERIOD <= period <= MAX_PERIOD:
        raise InvalidRequest(f"period is {MIN_PERIOD} to {MAX_PERIOD} seconds")
    return Manner(algorithm, digits, period)


def read(factor: Factor) -> Authenticator:
    """What a factor of this kind holds. Raises Unavailable."""
    try:
        told = orjson.loads(factor.body)
        manner = Manner(told["algorithm"], told["digits"], told["period"])
        return Authenticator(
            secret=base64.b64decode(told["secret"]),
            manner=manner,
            made_at=told["made_at"],
            confirmed=bool(told["confirmed"]),
            floor=told["floor"],
            kept=factor,
        )
    except (ValueError, KeyError, TypeError):
        raise Unavailable("the store cannot be read", detail="a broken authenticator") from None


def _factor(owner: Owner, authenticator: Authenticator) -> Factor:
    body = {
        "secret": base64.b64encode(authenticator.secret).decode(),
        "algorithm": authenticator.manner.algorithm,
        "digits": authenticator.manner.digits,
        "period": authenticator.manner.period,
        "made_at": authenticator.made_at,
        "confirmed": authenticator.confirmed,
        "floor": authenticator.floor,
    }
    return Factor(owner.realm, owner.account, KIND, ID, orjson.dumps(body))


class Authenticators:
    """Those of all accounts, in a store."""

    def __init__(self, store: FactorStore) -> None:
        self._store = store

    async def find(self, owner: Owner) -> Authenticator | None:
        factor = await self._store.get(owner.realm, owner.account, KIND, ID)
        return None if factor is None else read(factor)

    async def enrol(self, owner: Owner, manner: Manner, now: float) -> Authenticator:
        """A new one, which waits to be confirmed; it takes the place of one that waits. Raises
        Conflict if one is confirmed."""
        secret = secrets.token_bytes(SECRET_BYTES[manner.algorithm])
        made = Authenticator(secret, manner, int(now))
        for _ in range(MAX_TRIES):
            found = await self.find(owner)
            if found is not None and found.confirmed:
                raise Conflict("this account has an authenticator; remove it first")
            if await self._changed(owner, found, made):
                return made
        raise _busy()

    async def confirm(self, owner: Owner, code: Secret, now: float) -> Authenticator:
        """From then on it counts; the code that confirmed it does not. Raises NotFound, Conflict,
        and InvalidRequest for a code that does not fit."""
        waiting = await self.find(owner)
        if waiting is None:
            raise NotFound("no authenticator waits to be confirmed; enrol one first")
        if waiting.confirmed:
            raise Conflict("this account's authenticator is confirmed already")
        if now >= waiting.made_at + PENDING_SECONDS:
            raise Conflict("this enrolment waited too long; enrol again")
        step = waiting.step(plain(code), now, DEFAULT_WINDOW)
        if step is None:
            raise InvalidRequest("this is not the authenticator's code; wait for the next one")
        confirmed = replace(waiting, confirmed=True, floor=step + 1)
        if not await self._changed(owner, waiting, confirmed):
            raise Conflict("the enrolment was changed meanwhile; enrol again")
        return confirmed

    async def remove(self, owner: Owner) -> bool:
        """True if there was one."""
        return await self._store.delete(owner.realm, owner.account, KIND, ID)

    async def used(self, owner: Owner, authenticator: Authenticator, step: int) -> None:
        """The code of a step was shown: from then on none of an earlier step counts (RFC 6238,
        section 5.2). That of the step itself may be shown again by the same request, and who
        spends it first is not known here. Raises AuthenticationFailed if a later one was used."""
        for _ in range(MAX_TRIES):
            if step < authenticator.floor:
                raise AuthenticationFailed(FAILED, detail="a later code was used before")
            if step == authenticator.floor:
                return
            if await self._changed(owner, authenticator, replace(authenticator, floor=step)):
                return
            now = await self.find(owner)
            if now is None or now.secret != authenticator.secret or not now.confirmed:
                raise AuthenticationFailed(FAILED, detail="the authenticator was removed")
            authenticator = now
        raise _busy()

    async def _changed(self, owner: Owner, old: Authenticator | None, new: Authenticator) -> bool:
        return await self._store.swap(old.kept if old else None, _factor(owner, new))


def plain(code: Secret) -> str:
    """As it is compared: apps show codes with a blank in the middle."""
    return "".join(code.reveal().split())


def _busy() -> Unavailable:
    return Unavailable("others change this authenticator; ask again shortly")
