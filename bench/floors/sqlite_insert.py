"""INSERT into a table of one column and its key, several to a synchronous commit."""

import secrets
import sqlite3
import time


def micros(path: str, writes: int, in_a_commit: int, size: int) -> float:
    """CPU microseconds of this process for each of the writes."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS token (id TEXT PRIMARY KEY, body BLOB)")
    before = time.process_time()
    for start in range(0, writes, in_a_commit):
        database.execute("BEGIN IMMEDIATE")
        for _ in range(start, min(start + in_a_commit, writes)):
            row = (secrets.token_hex(20), b"x" * size)
            database.execute("INSERT INTO token VALUES (?, ?)", row)
        database.execute("COMMIT")
    spent = time.process_time() - before
    database.close()
    return spent / writes * 1e6
