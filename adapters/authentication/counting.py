"""What a failed login counts against, and under which rules. docs/operating.md explains them."""

from __future__ import annotations

import hmac
import ipaddress
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from broker.attempts import Rule, Tally

PAIR = Rule(
    "this account at this address",
    free=10,
    first_wait=1.0,
    longest_wait=300.0,
    leak_seconds=300.0,
)

ACCOUNT = Rule(
    "this account",
    free=50,
    first_wait=1.0,
    longest_wait=300.0,
    leak_seconds=60.0,
)
"""From addresses where it is not known. It holds up those that have failed at it before."""

NEWCOMERS = Rule(
    "this account from new addresses",
    free=1000,
    first_wait=1.0,
    longest_wait=300.0,
    leak_seconds=60.0,
)
"""The first failures of addresses. An address has one try at an account that is under attack, until
very many have had theirs."""

ADDRESS = Rule(
    "this address",
    free=30,
    first_wait=1.0,
    longest_wait=300.0,
    leak_seconds=30.0,
)
"""Over all accounts that are not known there."""

OVERLOOKED = frozenset({"Cc", "Cf", "Mn", "Pd", "Zl", "Zp", "Zs"})
"""Categories of characters that tell no two accounts apart where failures are counted."""

KNOWN_SECONDS = 30 * 24 * 3600
"""How long an account is known at an address after it was last noted to have logged in there."""

NETWORK_BITS = 64
"""Of an IPv6 address: a subscriber has all the rest."""

MAX_REMEMBERED = 4096
"""Keys that are not computed again."""

Counted = Sequence[tuple[bytes, Rule]]
"""Keys, each with the rule that holds for it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What an attempt is counted under; ``address`` is None where many people share it. Where no
    name was typed (not ``named``) it is the address alone."""

    pair: bytes
    account: bytes
    newcomers: bytes
    address: bytes | None
    named: bool

    @property
    def all(self) -> tuple[bytes, ...]:
        three = (self.pair, self.account, self.newcomers)
        return three if self.address is None else (*three, self.address)


class Naming:
    """Makes keys that tell nobody without ``key`` whom they are about."""

    def __init__(self, key: bytes, shared_addresses: Iterable[str] = ()) -> None:
        self._key = key
        self._shared = [ipaddress.ip_network(each, strict=False) for each in shared_addresses]
        self._remembered = lru_cache(maxsize=MAX_REMEMBERED)(self._keys)

    def keys(self, realm: str, account: str | None, address: str | None, what: str = "") -> Keys:
        """``account`` is a name as it was typed, ``address`` that of a client, or the name of a
        requester that has none. ``what`` is guessed at, if it is counted by itself: then the
        address is not, which is counted along with all else."""
        return self._remembered(realm, account, address, what)

    def _keys(self, realm: str, account: str | None, address: str | None, what: str) -> Keys:
        place, shared = self._place(address)
        name = "" if account is None else folded(account)
        return Keys(
            pair=self._digest(what + "pair", realm, name, place),
            account=self._digest(what + "account", realm, name),
            newcomers=self._digest(what + "newcomers", realm, name),
            address=None if shared or what else self._digest("address", realm, place),
            named=account is not None,
        )

    def _place(self, address: str | None) -> tuple[str, bool]:
        """The network that an address is counted as, and whether many people share it."""
        if address is None:
            return "", True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return address, False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        shared = any(found in network for network in self._shared)
        if isinstance(found, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False)), shared
        return str(found), shared

    def _digest(self, *parts: str) -> bytes:
        told = [part.encode("utf-8", "surrogatepass") for part in parts]
        framed = b"".join(len(each).to_bytes(4, "big") + each for each in told)
        return hmac.digest(self._key, framed, "sha256")


def folded(account: str) -> str:
    """One form for the spellings that directories take for one name.

    They look past case and widths, blanks and hyphens (RFC 4517, section 4.2; RFC 4518, section
    2), characters without a look of their own, and Active Directory past accents too: each would
    give who guesses a name that nobody has counted yet.
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", account).casefold())
    kept = (each for each in apart if unicodedata.category(each) not in OVERLOOKED)
    return "".join(kept) or apart


def known(pair: Tally, now: float) -> bool:
    """Whether the account logged in at the address lately."""
    return pair.succeeded_at > 0 and now - pair.succeeded_at < KNOWN_SECONDS


@dataclass(frozen=True, slots=True)
class Admission:
    """An attempt, as it stood before it was made. ``known`` says that the account is known at the
    address, ``new`` that the address has not failed at it."""

    keys: Keys
    pair: Tally
    known: bool
    new: bool

    @classmethod
    def of(cls, keys: Keys, pair: Tally, now: float) -> Admission:
        return cls(keys, pair, keys.named and known(pair, now), new=PAIR.left(pair, now) == 0)

    @property
    def judged(self) -> Counted:
        """What must not have failed too often."""
        if not self.keys.named:
            return self._address
        pair = (self.keys.pair, PAIR)
        if self.known:
            return (pair,)
        newcomer, account = (self.keys.newcomers, NEWCOMERS), (self.keys.account, ACCOUNT)
        return (pair, newcomer if self.new else account, *self._address)

    @property
    def counted(self) -> Counted:
        """What its failure counts against."""
        if not self.keys.named:
            return self._address
        pair = (self.keys.pair, PAIR)
        if self.known:
            return (pair,)
        newcomer = ((self.keys.newcomers, NEWCOMERS),) if self.new else ()
        return (pair, (self.keys.account, ACCOUNT), *newcomer, *self._address)

    @property
    def _address(self) -> Counted:
        return () if self.keys.address is None else ((self.keys.address, ADDRESS),)
