"""Copying one file of SQLite into another: rows as they are, since both are sealed alike.

Every table but the store's own marker is copied, whichever there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from adapters.stores.copy_parts import CHUNK, Item
from adapters.stores.sqlite_connection import Database, Row

NOT_COPIED = frozenset({"meta"})

_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
    "ORDER BY rowid"
)
_COLUMNS = "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the schema: the columns that are written, and those of the primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def key_of(self, row: Row) -> Row:
        return tuple(row[self.columns.index(name)] for name in self.key)


def tables(connection: sqlite3.Connection) -> list[Table]:
    """In the order in which the schema made them."""
    names = [name for (name,) in connection.execute(_TABLES) if name not in NOT_COPIED]
    return [_table(connection, name) for name in names]


def _table(connection: sqlite3.Connection, name: str) -> Table:
    rows = connection.execute(_COLUMNS, (name,)).fetchall()
    key = sorted((position, column) for column, position in rows if position)
    return Table(name, tuple(column for column, _ in rows), tuple(column for _, column in key))


class TableSource:
    """The rows of a table."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection = connection
        self._table = table

    async def count(self) -> int | None:
        sql = f"SELECT count(*) FROM {self._table.name}"  # noqa: S608 - a name of the schema
        (count,) = self._connection.execute(sql).fetchone()
        return int(count)

    async def chunks(self) -> AsyncIterator[list[Item[Row]]]:
        columns = ", ".join(self._table.columns)
        sql = f"SELECT {columns} FROM {self._table.name}"  # noqa: S608 - names of the schema
        cursor = self._connection.execute(sql)
        while rows := cursor.fetchmany(CHUNK):
            yield [_item(self._table, row) for row in rows]


class TableTarget:
    """The same table in the other file."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table
        self._where = " AND ".join(f"{name} = ?" for name in table.key)

    async def found(self, items: Sequence[Item[Row]]) -> list[bytes | None]:
        columns = ", ".join(self._table.columns)
        sql = (
            f"SELECT {columns} FROM {self._table.name} "  # noqa: S608 - names of the schema
            f"WHERE {self._where}"
        )
        rows = [self._database.row(sql, self._table.key_of(item.thing)) for item in items]
        return [None if row is None else _content(row) for row in rows]

    async def write(self, items: Sequence[Item[Row]]) -> None:
        marks = ", ".join("?" for _ in self._table.columns)
        sql = (
            f"INSERT INTO {self._table.name} "  # noqa: S608 - names of the schema
            f"({', '.join(self._table.columns)}) VALUES ({marks})"
        )
        await self._many(sql, [item.thing for item in items])

    async def all_keys(self) -> AsyncIterator[list[Row]]:
        names = ", ".join(self._table.key)
        sql = f"SELECT {names} FROM {self._table.name}"  # noqa: S608 - names of the schema
        yield await self._database.rows(sql)

    async def remove(self, keys: Sequence[Row]) -> None:
        sql = f"DELETE FROM {self._table.name} WHERE {self._where}"  # noqa: S608 - of the schema
        await self._many(sql, keys)

    async def _many(self, sql: str, rows: Sequence[Row]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, rows)

        await self._database.write(work)


def _item(table: Table, row: Row) -> Item[Row]:
    return Item(table.key_of(row), _content(row), row)


def _content(row: Row) -> bytes:
    return repr(row).encode("utf-8", "surrogatepass")
