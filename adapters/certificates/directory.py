"""The certificate authorities of all realms: looked up for requests, changed by administrators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from cryptography import x509

from adapters.certificates import draft
from adapters.certificates.document import MAX_AUTHORITIES, kept, revision
from adapters.certificates.draft import SOURCES, Draft
from adapters.certificates.fetching import Http
from adapters.certificates.revocation import RevocationSources
from adapters.realm_documents import Rows
from broker.authorities import ClientAuthority, Revocation
from broker.errors import Conflict, InvalidAuthority, NotFound, PreconditionFailed, Unavailable
from broker.policy import shown
from broker.ports import ConfigurationStore

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


class CertificateAuthorities:
    """The certificate authorities of all realms (port ClientAuthorities)."""

    def __init__(self, configuration: ConfigurationStore) -> None:
        self._configuration = configuration
        self._documents = kept(configuration)
        self._http = Http()
        self._generation: int | None = None
        self._looking = asyncio.Lock()
        self._realms: dict[str, tuple[Authority, ...]] = {}
        self._raw: dict[str, bytes] = {}

    def of(self, realm: str) -> Sequence[Authority]:
        return self._realms.get(realm, ())

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked, and then those
        known here serve on."""
        try:
            async with self._looking:  # many requests wait for one look
                generation = await self._configuration.generation()
                if generation != self._generation:
                    await self._read_all()
                    self._generation = generation
        except Unavailable:
            return False
        return True

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

    # -- administration ----------------------------------------------------------------------

    async def list(self, realm: str) -> list[Mapping[str, Any]]:
        """The documents of a realm's authorities, by name. Raises Unavailable."""
        return [*(await self._documents.rows(realm)).values()]

    async def get(self, realm: str, name: str) -> Mapping[str, Any]:
        """Raises NotFound, Unavailable."""
        row = (await self._documents.rows(realm)).get(name)
        if row is None:
            raise NotFound(f"this realm has no certificate authority called {shown(name)}")
        return row

    async def create(self, realm: str, state: Any) -> Mapping[str, Any]:
        """Raises InvalidAuthority, Conflict, Unavailable."""

        def step(rows: Rows) -> Draft:
            made = draft.decoded(realm, state)
            if made.rules.name in rows:
                raise Conflict(f"there is a certificate authority {made.rules.name} already")
            return made

        return await self._changed(realm, step)

    async def put(
        self,
        realm: str,
        name: str,
        state: Any,
        expected: str | None = None,
        *,
        must_exist: bool = False,
    ) -> tuple[Mapping[str, Any], bool]:
        """The authority as it is kept now, and whether it is new. ``expected`` is the revision that
        the caller saw. Raises InvalidAuthority, PreconditionFailed, Conflict, Unavailable."""
        new = False

        def step(rows: Rows) -> Draft:
            nonlocal new
            old = rows.get(name)
            new = old is None
            if old is None and (must_exist or expected is not None):
                raise PreconditionFailed(
                    f"this realm has no certificate authority called {shown(name)}"
                )
            if old is not None and expected not in (None, revision(old)):
                raise PreconditionFailed("the authority was changed since that revision was read")
            named = {"name": name, **state} if isinstance(state, Mapping) else state
            made = draft.decoded(realm, named, old=old)
            if made.rules.name != name:
                problem = f"the path says {shown(name)}; say the same here"
                raise InvalidAuthority([("name", problem)])
            return made

        return await self._changed(realm, step), new

    async def load(self, wanted: Draft) -> None:
        """Bring an authority that a file declares up to date. Raises Conflict, Unavailable."""
        await self._changed(wanted.rules.realm, lambda _rows: wanted)

    async def delete(self, realm: str, name: str, expected: str | None = None) -> Mapping[str, Any]:
        """Raises NotFound, PreconditionFailed, Unavailable."""

        def step(rows: Rows) -> Mapping[str, Any]:
            row = rows.pop(name, None)
            if row is None:
                raise NotFound(f"this realm has no certificate authority called {shown(name)}")
            if expected not in (None, revision(row)):
                raise PreconditionFailed("the authority was changed since that revision was read")
            return row

        return await self._stepped(realm, step)

    async def _changed(self, realm: str, made_of: Callable[[Rows], Draft]) -> Mapping[str, Any]:
        def step(rows: Rows) -> Mapping[str, Any]:
            made = made_of(rows)
            if rows.get(made.rules.name) != made.document:
                _check_together(rows, made)
                rows[made.rules.name] = made.document
            return made.document

        return await self._stepped(realm, step)

    async def _stepped(
        self, realm: str, step: Callable[[Rows], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        row, changed = await self._documents.changed(realm, step)
        if changed:
            await self.refresh()
        return row


def _check_together(rows: Rows, made: Draft) -> None:
    """Raises Conflict: a certificate must lead to the rules of one authority."""
    others = [row for name, row in rows.items() if name != made.rules.name]
    if len(others) >= MAX_AUTHORITIES:
        raise Conflict(f"a realm has {MAX_AUTHORITIES} certificate authorities at most")
    wanted = set(made.rules.anchors)
    for row in others:
        if not wanted.isdisjoint(draft.anchors_of(row)):
            raise Conflict(f"the authority {row['name']} of this realm has the same anchor already")


def _places(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where revocations are learnt."""
    return {name: row[name] for name in SOURCES if name in row}
