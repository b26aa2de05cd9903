"""Whether the modules, chains and defaults of a realm hold together."""

from __future__ import annotations

from adapters.authentication import draft
from adapters.authentication.compiled import BUILTIN_CHAINS, BUILTIN_MODULES
from adapters.authentication.document import CHAIN, DEFAULT, MODULE, MOST
from adapters.authentication.draft import SERVICE
from adapters.authentication.principals import reading
from adapters.realm_documents import Rows
from broker.errors import Conflict
from broker.policy import shown

DIRECTORY = "ldap"
"""The kind of module that principals can be looked up in."""

WORDS = {MODULE: "authentication modules", CHAIN: "authentication chains", DEFAULT: "defaults"}


def check(rows: Rows, key: str) -> None:
    """After the row of that key was changed or removed. Raises Conflict."""
    if key not in rows:
        _check_removed(rows, key)
    check_all(rows)


def check_all(rows: Rows) -> None:
    """Raises Conflict if something names what is not there, or there is too much of something."""
    for part, most in MOST.items():
        if sum(key.startswith(part) for key in rows) > most:
            raise Conflict(f"a realm has {most} {WORDS[part]} at most")
    for key, row in rows.items():
        _check_people(rows, key, row)
        for named in _names(key, row):
            if named not in rows and not _is_builtin(named):
                raise Conflict(f"{_said(key)} names {_said(named)}, which is not there")


def _check_people(rows: Rows, key: str, row: draft.Document) -> None:
    """Raises Conflict if a row looks people up where there are none."""
    people = reading.module_named(row)
    if people is None:
        return
    kind = rows.get(MODULE + people, {}).get("kind")
    if kind != DIRECTORY:
        raise Conflict(
            f"{_said(key)} looks people up in {_said(MODULE + people)}, which is no module of the "
            f"kind {DIRECTORY} in this realm"
        )


def _check_removed(rows: Rows, gone: str) -> None:
    """What a built-in one could stand in for too: it would let others in, and nobody said so."""
    for key, row in rows.items():
        if gone in _names(key, row):
            raise Conflict(f"{_said(key)} names {_said(gone)}; change that first")


def _names(key: str, row: draft.Document) -> list[str]:
    """The keys of the rows that a row names."""
    if key.startswith(CHAIN):
        return [MODULE + each["module"] for each in row["modules"]]
    target = draft.target_of(row["target"]) if key.startswith(DEFAULT) else None
    if target is None:
        return []
    return [(CHAIN if target.index_type == SERVICE else MODULE) + target.index_value]


def _is_builtin(key: str) -> bool:
    part, _, name = key.partition("/")
    return name in (BUILTIN_CHAINS if part == CHAIN.rstrip("/") else BUILTIN_MODULES)


def _said(key: str) -> str:
    """``the chain staff``, out of its key."""
    part, _, name = key.partition("/")
    return f"the {part} {shown(name)}" if part != "default" else f"the default for {shown(name)}"
