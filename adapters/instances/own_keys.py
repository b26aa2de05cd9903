"""The keys that an instance names: checked when it is published, made ready when it is compiled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from adapters.keys import recipient_jwk
from adapters.keys.key_store_files import (
    ALGORITHM,
    ALIAS,
    KEY_PASSWORD,
    LOCATION,
    PASSWORD,
    KeyStoreProblem,
)
from adapters.keys.key_stores import KeyStores, Use, place_of
from adapters.keys.public_jwk import UnusableKey
from adapters.keys.ring_changes import KeyNeeds
from adapters.keys.signers import KeySigner
from broker.algorithms import HMAC_ALGORITHMS, OIDC_ALGORITHMS, SAML2_ALGORITHMS
from broker.errors import KeyUnavailable
from broker.instance import ACTIVE_KEY, Instance, SigningKey
from broker.ports import KeySource

Problem = tuple[str, str]

_PARTS = {
    LOCATION: "key_store",
    PASSWORD: "key_store.password",
    ALIAS: "key_alias",
    KEY_PASSWORD: "key_password",
}
_ALGORITHM_FIELDS = {"saml2": "saml2.signing_key", "oidc": "oidc.algorithm"}


class SharedKeys(KeySource, Protocol):
    """Keys that brokers share, and those of key stores."""

    @property
    def stores(self) -> KeyStores: ...

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked."""

    async def cover_lifetime(
        self, realm: str, seconds: int, named: Iterable[str] = (), algorithms: Iterable[str] = ()
    ) -> None:
        """Allow for tokens of that lifetime, keep the keys that are ``named``, and have a key of
        each of ``algorithms``."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found when the keys of a draft were looked for."""

    problems: tuple[Problem, ...]
    stored: Mapping[str, KeySigner]


def signing_keys(instance: Instance) -> dict[str, SigningKey]:
    """The keys that an instance names, by section; only those whose algorithm there is."""
    saml2 = instance.saml2.signing_key if instance.saml2 else None
    oidc = instance.oidc.signing_key if instance.oidc else None
    found = {}
    if saml2 is not None and saml2.algorithm in SAML2_ALGORITHMS:
        found["saml2"] = saml2
    if oidc is not None and oidc.algorithm in OIDC_ALGORITHMS - HMAC_ALGORITHMS:
        found["oidc"] = oidc
    return found


def needs(instance: Instance, lifetime_seconds: int) -> KeyNeeds:
    """What an instance asks of its realm's keys; the lifetime is that of its longest token."""
    keys = list(signing_keys(instance).values())
    ring = [key for key in keys if key.store is None]
    return KeyNeeds(
        lifetime_seconds,
        frozenset(key.alias for key in ring if key.alias != ACTIVE_KEY),
        frozenset(key.algorithm for key in ring if key.alias == ACTIVE_KEY),
        frozenset(place_of(key) for key in keys if key.store is not None),
    )


async def opened(keys: SharedKeys, draft: Instance) -> Opened:
    """Look for every key that a draft names; what is wrong is told by field, and not raised.

    A realm's active key need not be there yet: it is made before the instance is stored.
    """
    problems: list[Problem] = []
    stored: dict[str, KeySigner] = {}
    for section, key in signing_keys(draft).items():
        try:
            if key.store is None and key.alias != ACTIVE_KEY:
                keys.key_id(draft.realm, key)
            elif key.store is not None and key.alias:
                stored[section] = await keys.stores.opened(draft.realm, key)
        except KeyUnavailable as error:
            problems.append((f"{section}.key_alias", error.sentence))
        except KeyStoreProblem as problem:
            problems.append((_field(section, problem.part), problem.sentence))
    problems += [problem async for problem in _recipient_problems(keys, draft)]
    problems += _jwk_problems(draft)
    return Opened(tuple(problems), stored)


async def prepare(keys: SharedKeys, instance: Instance, asked: KeyNeeds, found: Opened) -> None:
    """Before an instance is stored: its keys are there, are in the JWKS, and outlive its tokens.

    Raises KeyUnavailable, Conflict, Unavailable.
    """
    await keys.cover_lifetime(
        instance.realm, asked.lifetime_seconds, asked.key_ids, asked.algorithms
    )
    named = signing_keys(instance)
    uses = {
        Use(named[section], section == "oidc", asked.lifetime_seconds): signer
        for section, signer in found.stored.items()
    }
    await keys.stores.register(instance.realm, uses)


async def ready(keys: SharedKeys, instance: Instance) -> tuple[Instance, bool]:
    """The instance with what its requests need in memory, and whether all of it could be read.

    A key store that cannot be read now is the trouble of those requests that need it.
    """
    own = [key for key in signing_keys(instance).values() if key.store is not None]
    complete = await keys.stores.load(instance.realm, own)
    saml2 = instance.saml2
    wanted = saml2.encryption if saml2 is not None else None
    if saml2 is None or wanted is None or wanted.recipient.certificate is not None:
        return instance, complete
    try:
        der = await keys.stores.certificate(instance.realm, wanted.recipient)
    except KeyStoreProblem:
        return instance, False
    recipient = replace(wanted.recipient, certificate=der)
    encryption = replace(wanted, recipient=recipient)
    return replace(instance, saml2=replace(saml2, encryption=encryption)), complete


async def _recipient_problems(keys: SharedKeys, draft: Instance) -> AsyncIterator[Problem]:
    saml2 = draft.saml2
    wanted = saml2.encryption if saml2 is not None else None
    if saml2 is None or wanted is None:
        return
    recipient = wanted.recipient
    if recipient.certificate is None and not (recipient.store and recipient.alias):
        return  # a rule says so already
    try:
        await keys.stores.certificate(draft.realm, recipient)
    except KeyStoreProblem as problem:
        own = saml2.signing_key.store if saml2.signing_key else None
        beside = own is None or recipient.store is None or own.location != recipient.store.location
        if problem.part == ALIAS:
            field = "certificate" if recipient.certificate is not None else "alias"
            yield f"saml2.encryption.{field}", problem.sentence
        elif saml2.signing_key is not None and beside:
            yield f"saml2.encryption.{_PARTS[problem.part]}", problem.sentence
        else:
            yield f"saml2.{_PARTS[problem.part]}", problem.sentence


def _jwk_problems(draft: Instance) -> Iterator[Problem]:
    wanted = draft.oidc.encryption if draft.oidc is not None else None
    if wanted is None or not wanted.key:
        return
    try:
        recipient_jwk.check(wanted.key, wanted.algorithm)
    except UnusableKey as error:
        yield "oidc.encryption.key", error.sentence


def _field(section: str, part: str) -> str:
    return _ALGORITHM_FIELDS[section] if part == ALGORITHM else f"{section}.{_PARTS[part]}"
