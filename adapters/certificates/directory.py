"""The certificate authorities of all realms: looked up for requests, changed by administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from cryptography import x509

from adapters.certificates import draft
from adapters.certificates.document import MAX_AUTHORITIES, kept, revision
from adapters.certificates.draft import SOURCES, Draft
from adapters.certificates.fetching import Http
from adapters.certificates.revocation import RevocationSources
from adapters.realm_documents import Following, Rows
from adapters.realm_rows import RealmRows, Words
from broker.authorities import ClientAuthority, Revocation
from broker.errors import Conflict, InvalidAuthority, Unavailable
from broker.ports import ConfigurationStore

WORDS = Words(
    "this realm has no certificate authority called",
    "there is a certificate authority",
    "the authority",
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority, ready (port ClientTrust)."""

    rules: ClientAuthority
    document: Mapping[str, Any] = field(repr=False)
    sources: RevocationSources = field(repr=False)

    async def revocation(self, certificate: bytes, issuer: bytes, now: float) -> Revocation:
        return await self.sources.revocation(
            x509.load_der_x509_certificate(certificate),
            x509.load_der_x509_certificate(issuer),
            now,
        )


class CertificateAuthorities(RealmRows):
    """The certificate authorities of all realms (port ClientAuthorities)."""

    def __init__(self, configuration: ConfigurationStore) -> None:
        super().__init__(
            kept(configuration),
            WORDS,
            decoded=_decoded,
            check=_check_together,
            revision=revision,
            changed=self.refresh,
            invalid=InvalidAuthority,
        )
        self._http = Http()
        self._following = Following(configuration, self._read_all)
        self._realms: dict[str, tuple[Authority, ...]] = {}
        self._raw: dict[str, bytes] = {}

    def of(self, realm: str) -> Sequence[Authority]:
        return self._realms.get(realm, ())

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked, and then those
        known here serve on."""
        return await self._following.refresh()

    async def close(self) -> None:
        for authorities in self._realms.values():
            for each in authorities:
                await each.sources.close()
        await self._http.close()

    async def _read_all(self) -> None:
        documents = await self._documents.all()
        found = {realm: self._compiled(realm, raw) for realm, raw in documents.items()}
        self._realms = {realm: authorities for realm, authorities in found.items() if authorities}
        self._raw = documents

    def _compiled(self, realm: str, raw: bytes) -> tuple[Authority, ...]:
        """A document that cannot be read never takes the place of a good one."""
        known = self._realms.get(realm, ())
        if self._raw.get(realm) == raw:
            return known  # the generation moved for something else
        try:
            drafts = [
                draft.decoded(realm, row, any_file=True)
                for row in self._documents.read(raw).values()
            ]
        except (Unavailable, InvalidAuthority) as error:
            _log.error("cannot read a realm's certificate authorities", realm=realm, why=str(error))
            return known
        before = {each.rules.name: each for each in known}
        return tuple(self._ready(each, before.get(each.rules.name)) for each in drafts)

    def _ready(self, found: Draft, before: Authority | None) -> Authority:
        """What was fetched is kept as long as it comes from the same places."""
        if before is not None and _places(before.document) == _places(found.document):
            return Authority(found.rules, found.document, before.sources)
        sources = RevocationSources(found.document, self._http)
        return Authority(found.rules, found.document, sources)


def _decoded(realm: str, state: Any, old: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return draft.decoded(realm, state, old=old).document


def _check_together(rows: Rows, name: str) -> None:
    """Raises Conflict: a certificate must lead to the rules of one authority."""
    made = rows.get(name)
    if made is None:
        return
    if len(rows) > MAX_AUTHORITIES:
        raise Conflict(f"a realm has {MAX_AUTHORITIES} certificate authorities at most")
    wanted = set(draft.anchors_of(made))
    for other, row in rows.items():
        if other != name and not wanted.isdisjoint(draft.anchors_of(row)):
            raise Conflict(f"the authority {other} of this realm has the same anchor already")


def _places(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where revocations are learnt."""
    return {name: row[name] for name in SOURCES if name in row}
