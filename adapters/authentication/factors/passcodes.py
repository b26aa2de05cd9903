"""Passcodes: given out by an administrator, used once, ending by themselves.

A code is a name of 4 symbols, by which it is listed and withdrawn, and a secret of 12, of which a
keyed digest is kept. The key is the passcode's own and lies sealed beside the digest.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field, replace

import orjson

from adapters.authentication.factors.owners import Owner
from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, Conflict, InvalidRequest, Unavailable
from broker.factors import Factor, FactorStore
from broker.model import Secret

KIND = "passcode"

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: nothing in it looks like anything else in it. Five bits a symbol."""

MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})
ID_LENGTH = 4
SECRET_LENGTH = 12  # 60 bits
LENGTH = ID_LENGTH + SECRET_LENGTH
GROUP = 4
KEY_BYTES = 32

MAX_PASSCODES = 10
"""That one account has at a time."""

DEFAULT_LIFETIME = 24 * 3600
MIN_LIFETIME, MAX_LIFETIME = 60, 30 * 24 * 3600  # seconds
REMEMBERED_SECONDS = 3600
"""How long after its end a passcode is remembered as spent, for brokers whose clocks differ."""

MAX_TRIES = 20


@dataclass(frozen=True, slots=True)
class Passcode:
    """All but the code itself. Times are seconds since the epoch; ``presented_at`` is when the
    right code was first shown, None if it never was. ``kept`` is what it was read from."""

    id: str
    made_at: int
    expires_at: int
    key: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    presented_at: int | None = None
    kept: Factor | None = field(default=None, repr=False, compare=False)

    def fits(self, code: str) -> bool:
        return hmac.compare_digest(_digest(self.key, code), self.digest)

    def one_time(self, owner: Owner) -> str:
        """What is spent with it; another passcode that gets the same name is another one."""
        return f"{KIND}:{owner.realm}:{owner.account}:{self.id}:{self.digest[:8].hex()}"


NOTHING = Passcode("", 0, 0, bytes(KEY_BYTES), bytes(32))
"""Is checked in the place of one that is not there, so that time does not tell."""


def checked_lifetime(value: object) -> int:
    """In seconds. Raises InvalidRequest."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not whole or not MIN_LIFETIME <= value <= MAX_LIFETIME:
        raise InvalidRequest(f"lifetime is {MIN_LIFETIME} to {MAX_LIFETIME} seconds")
    return value


def read(factor: Factor) -> Passcode:
    """What a factor of this kind holds. Raises Unavailable."""
    try:
        told = orjson.loads(factor.body)
        return Passcode(
            id=factor.id,
            made_at=told["made_at"],
            expires_at=factor.expires_at or 0,
            key=base64.b64decode(told["key"]),
            digest=base64.b64decode(told["digest"]),
            presented_at=told["presented_at"],
            kept=factor,
        )
    except (ValueError, KeyError, TypeError):
        raise Unavailable("the store cannot be read", detail="a broken passcode") from None


def _factor(owner: Owner, passcode: Passcode) -> Factor:
    body = {
        "key": base64.b64encode(passcode.key).decode(),
        "digest": base64.b64encode(passcode.digest).decode(),
        "made_at": passcode.made_at,
        "presented_at": passcode.presented_at,
    }
    return Factor(
        owner.realm, owner.account, KIND, passcode.id, orjson.dumps(body), passcode.expires_at
    )


class Passcodes:
    """Those of all accounts, in a store."""

    def __init__(self, store: FactorStore) -> None:
        self._store = store

    async def create(self, owner: Owner, lifetime: int, now: float) -> tuple[Passcode, Secret]:
        """A new one, and its code, which nobody can tell again. Raises Conflict if the account has
        too many."""
        standing = [each for each in await self.all(owner) if each.expires_at > now]
        if len(standing) >= MAX_PASSCODES:
            raise Conflict(f"this account has {MAX_PASSCODES} passcodes; withdraw one first")
        for _ in range(MAX_TRIES):
            code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
            key = secrets.token_bytes(KEY_BYTES)
            passcode = Passcode(
                code[:ID_LENGTH], int(now), int(now) + lifetime, key, _digest(key, code)
            )
            if await self._store.swap(None, _factor(owner, passcode)):
                groups = (code[at : at + GROUP] for at in range(0, LENGTH, GROUP))
                return passcode, Secret("-".join(groups))
        raise Unavailable("no name for the passcode is free; ask again")

    async def all(self, owner: Owner) -> list[Passcode]:
        factors = await self._store.list(owner.realm, owner.account)
        return [read(factor) for factor in factors if factor.kind == KIND]

    async def withdraw(self, owner: Owner, id_: str) -> bool:
        """True if there was one."""
        return await self._store.delete(owner.realm, owner.account, KIND, id_)

    async def shown(self, owner: Owner, given: Secret, now: float) -> Passcode:
        """The passcode whose code was shown; who spends it first is not known here. Raises
        AuthenticationFailed."""
        for _ in range(MAX_TRIES):
            passcode = await self.compared(owner, given)
            if passcode is None:
                raise AuthenticationFailed(FAILED, detail="no such passcode")
            if passcode.expires_at <= now:
                raise AuthenticationFailed(FAILED, detail="the passcode has expired")
            if passcode.presented_at is not None:
                return passcode
            marked = replace(passcode, presented_at=int(now))
            if await self._store.swap(passcode.kept, _factor(owner, marked)):
                return marked
        raise Unavailable("others use this passcode; ask again shortly")

    async def compared(self, owner: Owner, given: Secret) -> Passcode | None:
        """The passcode of that code, expired ones too; None costs the same."""
        code = _plain(given)
        kept = await self._store.get(owner.realm, owner.account, KIND, code[:ID_LENGTH])
        passcode = NOTHING if kept is None else read(kept)
        return passcode if passcode.fits(code) and kept is not None else None


def _plain(given: Secret) -> str:
    """As it was made, whatever letter case and hyphens it was typed with; empty for what can be no
    code."""
    code = "".join(given.reveal().upper().translate(MISREAD).split())
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else ""


def _digest(key: bytes, code: str) -> bytes:
    return hmac.digest(key, code.encode(), "sha256")
