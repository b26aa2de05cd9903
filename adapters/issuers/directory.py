"""The issuers that realms trust: looked up for requests, changed by administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from adapters.issuers import document, draft, fetching, sources
from adapters.issuers.document import MAX_ISSUERS, kept
from adapters.issuers.draft import Draft
from adapters.issuers.fetching import Fetcher
from adapters.issuers.jwk_set import UnusableSet
from adapters.issuers.sources import FetchedKeys, KeySource
from adapters.issuers.verification import PublicVerifier
from adapters.realm_documents import Following, Rows
from adapters.realm_rows import RealmRows, Words
from broker.errors import Conflict, InvalidIssuer, Unavailable
from broker.model import Secret
from broker.policy import shown
from broker.ports import ConfigurationStore
from broker.trust import TrustedIssuer, VerificationKey

WORDS = Words("this realm trusts no issuer called", "there is a trusted issuer", "the issuer")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted issuer, ready (port Trust)."""

    rules: TrustedIssuer
    source: KeySource = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    named_ours: bool
    is_ours: Callable[[str], bool]

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        return await self.source.keys(algorithm, kid)

    def ours(self, key: VerificationKey) -> bool:
        thumbprint = key.thumbprint if isinstance(key, PublicVerifier) else None
        return self.named_ours or (thumbprint is not None and self.is_ours(thumbprint))


class TrustedIssuers(RealmRows):
    """The trusted issuers of all realms (port IssuerKeys).

    ``url`` is this broker's own name as an issuer, ``jwks`` gives a realm's own keys and
    ``is_ours`` says of a ``kid`` whether it is among those of any realm. ``revision_key`` is
    shared by the brokers of a store.
    """

    def __init__(
        self,
        configuration: ConfigurationStore,
        *,
        url: str,
        jwks: Callable[[str], Mapping[str, Any]],
        is_ours: Callable[[str], bool],
        revision_key: bytes,
    ) -> None:
        super().__init__(
            kept(configuration),
            WORDS,
            decoded=_decoded,
            check=_check_together,
            revision=partial(document.revision, key=revision_key),
            changed=self.refresh,
            invalid=InvalidIssuer,
        )
        self._url = url
        self._jwks = jwks
        self._is_ours = is_ours
        self._fetcher = Fetcher()
        self._following = Following(configuration, self._read_all)
        self._realms: dict[str, dict[str, Issuer]] = {}

    # -- looking up --------------------------------------------------------------------------

    def find(self, realm: str, issuer: str) -> Issuer | None:
        return self._realms.get(realm, {}).get(issuer)

    def any(self, realm: str) -> bool:
        return bool(self._realms.get(realm))

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked, and then those
        known here serve on."""
        return await self._following.refresh()

    async def close(self) -> None:
        for issuers in self._realms.values():
            for issuer in issuers.values():
                if isinstance(issuer.source, FetchedKeys):
                    await issuer.source.close()
        await self._fetcher.close()

    async def _read_all(self) -> None:
        documents = await self._documents.all()
        found = {realm: self._compiled(realm, raw) for realm, raw in documents.items()}
        self._realms = {realm: issuers for realm, issuers in found.items() if issuers}

    def _compiled(self, realm: str, raw: bytes) -> dict[str, Issuer]:
        """By issuer. A document that cannot be read never takes the place of a good one."""
        known = self._realms.get(realm, {})
        try:
            drafts = [
                draft.decoded(realm, row, any_file=True)
                for row in self._documents.read(raw).values()
            ]
            return {each.rules.issuer: self._ready(each, known) for each in drafts}
        except (Unavailable, InvalidIssuer, UnusableSet) as error:
            _log.error("cannot read the trusted issuers of a realm", realm=realm, why=str(error))
            return known

    def _ready(self, found: Draft, known: Mapping[str, Issuer]) -> Issuer:
        """What was fetched for an issuer is kept as long as it comes from the same place."""
        before = known.get(found.rules.issuer)
        if before is not None and before.document == found.document:
            return before
        same_place = before is not None and _place(before.document) == _place(found.document)
        return Issuer(
            rules=found.rules,
            source=before.source if before is not None and same_place else self._source(found),
            document=found.document,
            named_ours=found.rules.issuer.rstrip("/") == self._url.rstrip("/"),
            is_ours=self._is_ours,
        )

    def _source(self, found: Draft) -> KeySource:
        [(kind, value)] = found.source.items()
        issuer, realm = found.rules.issuer, found.rules.realm
        if kind == "jwks":
            return sources.WrittenKeys(value)
        if kind == "client_secret":
            return sources.SharedSecret(Secret(value))
        if kind == "own_keys":
            return sources.OwnKeys(lambda: self._jwks(realm))
        if kind == "jwks_file":
            fetch = fetching.from_file(Path(value))
            return FetchedKeys(fetch, issuer, fresh_seconds=sources.FILE_FRESH_SECONDS)
        if kind == "jwks_url":
            return FetchedKeys(self._fetcher.from_url(value), issuer)
        return FetchedKeys(self._fetcher.by_discovery(issuer), issuer)


def _decoded(realm: str, state: Any, old: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return draft.decoded(realm, draft.with_kept_secret(state, old), old=old).document


def _check_together(rows: Rows, name: str) -> None:
    """Raises Conflict: a token's ``iss`` must lead to one issuer."""
    made = rows.get(name)
    if made is None:
        return
    for other, row in rows.items():
        if other != name and row["issuer"] == made["issuer"]:
            raise Conflict(f"the issuer {shown(other)} of this realm has the same iss already")
    if len(rows) > MAX_ISSUERS:
        raise Conflict(f"a realm trusts {MAX_ISSUERS} issuers at most")


def _place(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where the keys come from."""
    return {name: row[name] for name in (*draft.SOURCES, "issuer") if name in row}
