"""One realm's keys in memory: parsed once, with what requests ask of them worked out beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.keys import private_keys
from adapters.keys.private_keys import ring_algorithm
from adapters.keys.ring_changes import waits
from adapters.keys.ring_document import RETIRED, REVOKED, RingDocument, StoredKey
from adapters.keys.signers import KeySigner, Run
from broker.errors import KeyUnavailable, Unavailable


@dataclass(frozen=True, slots=True)
class RingKey:
    """What is known of a key at one moment; never the key. Times are seconds since the epoch."""

    kid: str
    algorithm: str
    state: str
    created: float
    published_at: float
    signs_from: float | None
    ends_at: float | None

    def shown(self) -> dict[str, str]:
        """For administrators: ``publishedAt``, ``signsFrom`` and ``endsAt`` where they exist."""
        moments = {
            "publishedAt": self.published_at,
            "signsFrom": self.signs_from,
            "endsAt": self.ends_at,
        }
        return {
            "kid": self.kid,
            "algorithm": self.algorithm,
            "state": self.state,
            "created": _written(self.created),
            **{name: _written(moment) for name, moment in moments.items() if moment is not None},
        }


class RealmKeys:
    """Immutable; a change of the document makes another. ``raw`` is the document as it is stored.

    Signers of ``known`` are used again, so that no key is parsed twice. Raises Unavailable if the
    document cannot be read.
    """

    def __init__(
        self, raw: bytes | None, run: Run, margin: float, known: RealmKeys | None = None
    ) -> None:
        self.raw = raw
        self.document = RingDocument.read(raw)
        self._margin = margin
        self._keys = {key.kid: key for key in self.document.keys}
        self._ends = {key.kid: self.document.ends_at(key) for key in self.document.keys}
        self._signers = {
            key.kid: _signer(key, run, known)
            for key in self.document.keys
            if key.revoked_at is None
        }
        self._takeovers = {
            algorithm: _takeovers(self.document, algorithm)
            for algorithm in self.document.algorithms()
        }
        self._others: dict[tuple[str, str], KeySigner] = {}

    def active(self, algorithm: str, now: float) -> str:
        """The ``kid`` that signs now. Raises KeyUnavailable."""
        takeovers = self._takeovers.get(ring_algorithm(algorithm))
        if not takeovers:
            raise KeyUnavailable(f"this realm has no active key for {algorithm}")
        for moment, kid in takeovers:  # the latest first
            if moment <= now:
                return kid
        return takeovers[-1][1]

    def named(self, algorithm: str, kid: str, now: float) -> str:
        """``kid``, if an instance may name it. Raises KeyUnavailable."""
        self.signer(algorithm, kid, now)
        key = self._keys[kid]
        if waits(self.document, key, now, self._margin):
            known_from = _written(key.published_at + self._margin)
            raise KeyUnavailable(
                f"the signing key that this instance names is new; use it from {known_from} on, "
                "when every relying party can know it"
            )
        return kid

    def signer(self, algorithm: str, kid: str, now: float) -> KeySigner:
        """Raises KeyUnavailable."""
        key = self._keys.get(kid)
        if key is not None and key.revoked_at is not None:
            raise KeyUnavailable("the signing key that this instance names was revoked")
        if key is None or self._ended(kid, now):
            raise KeyUnavailable("the signing key that this instance names is not in its realm")
        if key.algorithm != ring_algorithm(algorithm):
            raise KeyUnavailable(
                f"the signing key that this instance names is not one for {algorithm}"
            )
        signer = self._signers[kid]
        return signer if signer.algorithm == algorithm else self._other(signer, algorithm)

    def _other(self, signer: KeySigner, algorithm: str) -> KeySigner:
        """The same key with an algorithm that has no keys of its own (``ring_algorithm``)."""
        found = self._others.get((signer.kid, algorithm))
        if found is None:
            found = self._others[signer.kid, algorithm] = signer.signing_with(algorithm)
        return found

    def revoked(self, kid: str) -> bool:
        key = self._keys.get(kid)
        return key is not None and key.revoked_at is not None

    def jwks(self, now: float) -> list[dict[str, str]]:
        """The public keys that tokens may be signed with, oldest first."""
        published = [kid for kid in self._signers if not self._ended(kid, now)]
        published.sort(key=lambda kid: (self._keys[kid].created, kid))
        return [dict(self._signers[kid].public_jwk or {}) for kid in published]

    def all(self, now: float) -> list[RingKey]:
        """Every key that is still of interest, oldest first."""
        rows = [self.shown(key, now) for key in self._keys.values()]
        return sorted(rows, key=lambda row: (row.created, row.kid))

    def shown(self, key: StoredKey, now: float) -> RingKey:
        state = self.document.state(key, now)
        return RingKey(
            kid=key.kid,
            algorithm=key.algorithm,
            state=state,
            created=key.created,
            published_at=key.published_at,
            signs_from=key.signs_from,
            ends_at=self._ends[key.kid] if state in (RETIRED, REVOKED) else None,
        )

    def key(self, kid: str, now: float) -> RingKey | None:
        key = self._keys.get(kid)
        return self.shown(key, now) if key is not None else None

    def certificate(self, kid: str) -> bytes | None:
        """DER."""
        key = self._keys.get(kid)
        return key.certificate if key is not None else None

    def kids(self) -> Iterable[str]:
        """Of all keys, whatever their state."""
        return self._keys.keys()

    def signers(self) -> Mapping[str, KeySigner]:
        return self._signers

    def _ended(self, kid: str, now: float) -> bool:
        ends_at = self._ends[kid]
        return ends_at is not None and ends_at <= now


def _takeovers(document: RingDocument, algorithm: str) -> tuple[tuple[float, str], ...]:
    """From when which key signs, the latest first."""
    order = [key for key in document.signing_order(algorithm) if key.revoked_at is None]
    return tuple((key.signs_from or 0.0, key.kid) for key in reversed(order))


def _signer(key: StoredKey, run: Run, known: RealmKeys | None) -> KeySigner:
    found = known.signers().get(key.kid) if known is not None else None
    if found is not None and found.certificate == key.certificate:
        return found
    try:
        signer = KeySigner(private_keys.read(key.private_key), key.certificate, run, key.algorithm)
    except ValueError:
        raise _broken(key) from None
    if signer.kid != key.kid:
        raise _broken(key)
    return signer


def _broken(key: StoredKey) -> Unavailable:
    return Unavailable("the store cannot be read", detail=f"the signing key {key.kid} is broken")


def _written(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
