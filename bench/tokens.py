"""Token records to fill a store with: like those of ID tokens, each made of its number alone."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from adapters.stores import Stores
from broker.model import ENTROPY_BYTES, OPENIDCONNECT, ROOT_REALM, Answer, Claim, TokenRecord

INSTANCE = "bench"
PER_PRINCIPAL = 500
LIFETIME_SECONDS = 86400
KEY_ID = "6vV6rpNTkGEdGMVXrXg1zt7C1ZbzPDiFwTVQNp0JpnM"
ANSWER = Answer(200, {})


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as the pipeline hands it to the ledger, of a request without an id."""

    claim: Claim
    record: TokenRecord

    async def commit(self, stores: Stores) -> None:
        await stores.ledger.commit(self.claim, self.record, ANSWER, self.record.expires_at)


def issued(number: int, now: int) -> Issued:
    """The token of a number; ``now`` is seconds since the epoch."""
    digest = hashlib.sha256(text(number).encode()).digest()
    token_id = str(uuid.UUID(bytes=digest[:16], version=4))
    claim = Claim(
        token_id=token_id,
        issued_at=now,
        expires_at=now + LIFETIME_SECONDS,
        key_id=KEY_ID,
        entropy=bytes(ENTROPY_BYTES),
    )
    record = TokenRecord(
        token_id=token_id,
        alias=alias(number),
        digest=digest,
        type=OPENIDCONNECT,
        instance=INSTANCE,
        realm=ROOT_REALM,
        principal=principal(number),
        issued_at=claim.issued_at,
        expires_at=claim.expires_at,
        key_id=KEY_ID,
    )
    return Issued(claim, record)


def text(number: int) -> str:
    """The token itself. It is no JWT, which only a relying party would mind."""
    return f"token {number}"


def alias(number: int) -> str:
    """As an ID token's: 40 hexadecimal digits, in an order that says nothing of its number."""
    name = hashlib.sha1(text(number).encode(), usedforsecurity=False)
    return name.hexdigest().upper()


def principal(number: int) -> str:
    """``PER_PRINCIPAL`` tokens each, however many there are."""
    return f"user-{number // PER_PRINCIPAL:06}"
