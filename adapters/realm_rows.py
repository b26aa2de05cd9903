"""Named rows of a realm as administrators change them: one by one, guarded by revisions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.realm_documents import RealmDocuments, Rows
from broker.errors import Conflict, InvalidDocument, NotFound, PreconditionFailed
from broker.policy import shown

Document = Mapping[str, Any]
Decoded = Callable[[str, Any, Document | None], Document]
"""From realm, state as it was sent and the document before to the document that is kept. Raises an
InvalidDocument."""

Check = Callable[[Rows, str], None]
"""Whether rows hold together after the one of that key was changed or removed. Raises Conflict."""


@dataclass(frozen=True, slots=True)
class Words:
    """What sentences call a row: ``missing`` and ``taken`` go before its name."""

    missing: str
    taken: str
    short: str


class RealmRows:
    """The rows of one sort in the documents of realms.

    ``prefix`` tells them from other sorts in the same documents. ``revision`` stands for a
    document's content; ``changed`` is awaited after each change.
    """

    def __init__(
        self,
        documents: RealmDocuments,
        words: Words,
        *,
        decoded: Decoded,
        check: Check,
        revision: Callable[[Document], str],
        changed: Callable[[], Awaitable[object]],
        invalid: type[InvalidDocument],
        prefix: str = "",
    ) -> None:
        self._documents = documents
        self._words = words
        self._decoded = decoded
        self._check = check
        self._changed = changed
        self._invalid = invalid
        self._prefix = prefix
        self.revision = revision

    async def list(self, realm: str) -> list[Document]:
        """The documents, by name, with their secrets. Raises Unavailable."""
        return [*self.within(await self._documents.rows(realm)).values()]

    def within(self, rows: Rows) -> dict[str, Document]:
        """The documents of this sort among the rows of a realm, by name."""
        if not self._prefix:
            return dict(rows)
        mine = {
            key.removeprefix(self._prefix): row
            for key, row in rows.items()
            if key.startswith(self._prefix)
        }
        return {name: {**row, "name": name} for name, row in mine.items()}

    async def get(self, realm: str, name: str) -> Document:
        """Raises NotFound, Unavailable."""
        found = self.within(await self._documents.rows(realm)).get(name)
        if found is None:
            raise NotFound(self._missing(name))
        return found

    async def create(self, realm: str, state: Any) -> Document:
        """Raises InvalidDocument, Conflict, Unavailable."""

        def step(rows: Rows) -> Document:
            made = self._decoded(realm, state, None)
            if self._prefix + made["name"] in rows:
                raise Conflict(f"{self._words.taken} {made['name']} already")
            return self._placed(rows, made)

        return await self._stepped(realm, step)

    async def put(
        self,
        realm: str,
        name: str,
        state: Any,
        expected: str | None = None,
        *,
        must_exist: bool = False,
    ) -> tuple[Document, bool]:
        """The document as it is kept now, and whether it is new. ``expected`` is the revision that
        the caller saw. Raises InvalidDocument, PreconditionFailed, Conflict, Unavailable."""
        new = False

        def step(rows: Rows) -> Document:
            nonlocal new
            old = self.within(rows).get(name)
            new = old is None
            if old is None and (must_exist or expected is not None):
                raise PreconditionFailed(self._missing(name))
            if old is not None:
                self._seen(old, expected)
            named = {"name": name, **state} if isinstance(state, Mapping) else state
            made = self._decoded(realm, named, old)
            if made["name"] != name:
                raise self._invalid([("name", f"the path says {shown(name)}; say the same here")])
            return self._placed(rows, made)

        return await self._stepped(realm, step), new

    async def load(self, realm: str, document: Document) -> None:
        """Bring one that a file declares up to date. Raises Conflict, Unavailable."""
        await self._stepped(realm, lambda rows: self._placed(rows, document))

    async def delete(self, realm: str, name: str, expected: str | None = None) -> Document:
        """What was removed. Raises NotFound, PreconditionFailed, Conflict, Unavailable."""

        def step(rows: Rows) -> Document:
            old = self.within(rows).get(name)
            if old is None:
                raise NotFound(self._missing(name))
            self._seen(old, expected)
            del rows[self._prefix + name]
            self._check(rows, self._prefix + name)
            return old

        return await self._stepped(realm, step)

    def placed(self, rows: Rows, document: Document) -> None:
        """Put a document among the rows of a realm; whether they hold together is not looked at."""
        key = self._prefix + document["name"]
        rows[key] = {**document, "name": key}

    def _placed(self, rows: Rows, document: Document) -> Document:
        key = self._prefix + document["name"]
        before = rows.get(key)
        self.placed(rows, document)
        if rows[key] != before:
            self._check(rows, key)
        return document

    def _seen(self, old: Document, expected: str | None) -> None:
        if expected not in (None, self.revision(old)):
            raise PreconditionFailed(
                f"{self._words.short} was changed since that revision was read"
            )

    def _missing(self, name: str) -> str:
        return f"{self._words.missing} {shown(name)}"

    async def _stepped(self, realm: str, step: Callable[[Rows], Document]) -> Document:
        document, changed = await self._documents.changed(realm, step)
        if changed:
            await self._changed()
        return document
