"""Who checks logins in all realms: looked up for requests, changed by administrators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import structlog

from adapters.authentication import draft
from adapters.authentication.compiled import Realm
from adapters.authentication.document import CHAIN, DEFAULT, MODULE, kept, revision
from adapters.authentication.draft import Document, Drafts
from adapters.authentication.files import Entry
from adapters.authentication.kinds import Kind, Parts
from adapters.authentication.references import check, check_all
from adapters.authentication.throttling import Throttled, Throttling
from adapters.realm_documents import Following, Rows
from adapters.realm_rows import Decoded, RealmRows, Words
from broker.authentication import Authentication
from broker.errors import InvalidModule, InvalidRequest, Unavailable
from broker.model import USERNAME, TokenType
from broker.output_options import AuthTarget
from broker.ports import ConfigurationStore

NOT_KNOWN = "who checks logins in this realm is not known yet; ask again shortly"

_log = structlog.get_logger(__name__)

WORDS = {
    MODULE: Words(
        "this realm has no authentication module called",
        "there is an authentication module",
        "the module",
    ),
    CHAIN: Words(
        "this realm has no authentication chain called",
        "there is an authentication chain",
        "the chain",
    ),
    DEFAULT: Words(
        "this realm has no default target for input of the type",
        "there is a default target for",
        "the default",
    ),
}


class AuthenticationDirectory:
    """The modules, chains and defaults of all realms (port AuthTargets).

    ``revision_key`` is shared by the brokers of a store. ``throttling`` counts failed logins.
    ``modules``, ``chains`` and ``defaults`` are what administrators change.
    """

    def __init__(
        self,
        configuration: ConfigurationStore,
        *,
        kinds: Mapping[str, Kind],
        parts: Parts,
        revision_key: bytes,
        throttling: Throttling | None = None,
    ) -> None:
        self._documents = kept(configuration)
        self._revision_key = revision_key
        self._throttling = throttling
        self.drafts = Drafts(kinds, parts)
        self._builtin = Realm.builtin(self.drafts)
        self._following = Following(configuration, self._read_all)
        self._realms: dict[str, Realm] = {}
        self._raw: dict[str, bytes] = {}
        self.modules = self._rows(MODULE, self.drafts.module)
        self.chains = self._rows(CHAIN, draft.chain)
        self.defaults = self._rows(DEFAULT, draft.default)

    def _rows(self, prefix: str, decoded: Decoded) -> RealmRows:
        return RealmRows(
            self._documents,
            WORDS[prefix],
            decoded=decoded,
            check=check,
            revision=partial(revision, key=self._revision_key),
            changed=self.refresh,
            invalid=InvalidModule,
            prefix=prefix,
        )

    # -- looking up --------------------------------------------------------------------------

    def target(
        self, realm: str, token_type: TokenType, named: AuthTarget | None
    ) -> Authentication | None:
        """Who checks input of the type: as an instance names it, else the realm's default; None for
        the broker's own validator. Raises InvalidRequest if the realm has no such target, and
        Unavailable while nobody knows what it has: it may ask for more than a password."""
        found = self._found(realm, token_type, named)
        if found is None or self._throttling is None or token_type != USERNAME:
            return found
        return Throttled(found, self._throttling)

    def _found(
        self, realm: str, token_type: TokenType, named: AuthTarget | None
    ) -> Authentication | None:
        found = self._realms.get(realm)
        if found is None:
            if not self._following.begun:
                raise Unavailable(NOT_KNOWN)
            return None if named is None else self._builtin.target(named, token_type)
        return found.target(named, token_type)

    def named(self, realm: str, named: AuthTarget) -> Authentication:
        """A chain or module by name, the built-in ones among them. Raises InvalidRequest."""
        return self._realms.get(realm, self._builtin).named(named)

    def default(self, realm: str, token_type: TokenType) -> AuthTarget | None:
        """What the realm names for a type of input."""
        return self._realms.get(realm, self._builtin).defaults.get(token_type)

    def chains_of(self, realm: str) -> frozenset[str]:
        """The names of the chains that the realm has, without the built-in ones."""
        return self._realms.get(realm, self._builtin).chains

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked, and then what is
        known here serves on."""
        return await self._following.refresh()

    async def close(self) -> None:
        """Ends the connections of all modules."""
        for realm in self._realms.values():
            await realm.close()
        self._realms = {}

    async def _read_all(self) -> None:
        documents = await self._documents.all()
        before = self._realms
        self._realms = {realm: self._compiled(realm, raw) for realm, raw in documents.items()}
        self._raw = documents
        for realm, old in before.items():
            await old.retire(self._realms.get(realm))

    def _compiled(self, realm: str, raw: bytes) -> Realm:
        """A document that cannot be read never takes the place of a good one."""
        known = self._realms.get(realm)
        if known is not None and self._raw.get(realm) == raw:
            return known  # the generation moved for something else
        try:
            rows = self._documents.read(raw)
        except Unavailable as error:
            _log.error("cannot read a realm's modules", realm=realm, why=str(error))
            return known or Realm.unreadable()
        return Realm.of(
            realm,
            self.drafts,
            modules=self.modules.within(rows),
            chains=self.chains.within(rows),
            defaults=self.defaults.within(rows),
            known=known,
        )

    # -- from files --------------------------------------------------------------------------

    async def load(self, entries: Iterable[Entry]) -> None:
        """Bring what files declare up to date: all of a realm in one step. Raises InvalidRequest
        naming what is wrong, Conflict and Unavailable."""
        by_realm: dict[str, list[Entry]] = {}
        for entry in entries:
            by_realm.setdefault(entry.realm, []).append(entry)
        for realm, found in by_realm.items():
            _, changed = await self._documents.changed(
                realm, partial(self._loaded, realm, tuple(found))
            )
            if changed:
                await self.refresh()

    def _loaded(self, realm: str, entries: tuple[Entry, ...], rows: Rows) -> None:
        for entry in entries:
            place, decoded = self._place(entry.part)
            try:
                made = decoded(realm, entry.state, None)
            except InvalidModule as error:
                raise InvalidRequest(f"{entry.where}: {error.sentence}") from None
            place.placed(rows, made)
        check_all(rows)

    def _place(self, part: str) -> tuple[RealmRows, Decoded]:
        if part == MODULE:
            return self.modules, partial(self.drafts.module, from_file=True)
        return (self.chains, draft.chain) if part == CHAIN else (self.defaults, draft.default)

    def shown(self, document: Document) -> dict[str, Any]:
        """A document as administrators read it."""
        return self.drafts.shown(document) if "kind" in document else dict(document)
