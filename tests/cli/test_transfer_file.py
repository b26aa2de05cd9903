"""The file of ``remint export``: sealed, private, and of no use once it was damaged."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import select
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Remint
from tests.cli.transferred import PASSWORD, exported, fill, in_store
from tests.support.planted import MARK

PROMPT_SECONDS = 30


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are written; a realm is declared, and the password is in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REMINT_REALMS", '["/declared"]')
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return tmp_path


# -- the file ------------------------------------------------------------------------------------


def test_the_file_is_private_and_sealed(remint: Remint) -> None:
    """Mode 0600, nothing of what is in it to be read, and no two files alike."""
    path = exported(remint)
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for hidden in (MARK, "alice", "demo", "argon2id$", "realms"):
        assert hidden.encode() not in content
    assert remint("export", "second", "--password-file", "password").code == 0
    second = Path("second").read_bytes()
    assert content.partition(b"\n")[0] != second.partition(b"\n")[0]
    assert sorted(os.listdir()) == ["backup", "password", "second", "state"]


def test_a_file_is_not_overwritten_unasked(remint: Remint) -> None:
    """An existing file stays as it is, unless --force is given; then it is replaced as a whole."""
    Path("backup").write_text("precious")
    Path("backup").chmod(0o644)
    in_store(fill)
    done = remint("export", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: backup exists; --force overwrites it\n"
    assert remint("export", "backup").err == done.err, "nobody is asked for a password in vain"
    assert Path("backup").read_text() == "precious"
    assert remint("export", "backup", "--password-file", "password", "--force").code == 0
    assert stat.S_IMODE(Path("backup").stat().st_mode) == 0o600
    done = remint("import", "backup", "--password-file", "password")
    assert done.out == "0 added, 0 replaced, 10 unchanged\n"


def test_a_file_that_cannot_be_written_leaves_nothing(remint: Remint) -> None:
    """A folder that is not there is a sentence."""
    in_store(fill)
    done = remint("export", "nowhere/backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert "No such file or directory" in done.err


def _head(content: bytes, **changes: object) -> bytes:
    head, _, body = content.partition(b"\n")
    return json.dumps({**json.loads(head), **changes}).encode() + b"\n" + body


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "last byte": (lambda content: _flipped(content, -1), "was damaged, or the password is wrong"),
    "first sealed byte": (lambda c: _flipped(c, c.index(b"\n") + 1), "was damaged"),
    "cut": (lambda content: content[:-20], "was damaged"),
    "longer": (lambda content: content + b"\0", "was damaged"),
    "other salt": (
        lambda content: _head(content, salt=base64.b64encode(bytes(16)).decode()),
        "was damaged",
    ),
    "same head, written otherwise": (_head, "was damaged"),
    "short salt": (lambda content: _head(content, salt="AAAA"), "was damaged"),
    "no salt": (lambda content: _head(content, salt=None), "no file of `remint export`"),
    "empty": (lambda _: b"", "no file of `remint export`"),
    "something else": (lambda _: b"PK\x03\x04" * 1000, "no file of `remint export`"),
    "a list": (lambda _: b"[]\n", "no file of `remint export`"),
    "newer": (lambda content: _head(content, **{"remint-export": 2}), "newer version"),
    "other cipher": (lambda content: _head(content, cipher="none"), "newer version"),
    "too much memory": (lambda content: _head(content, memory_kib=1 << 31), "more work"),
    "too many passes": (lambda content: _head(content, passes=10**9), "more work"),
    "no passes": (lambda content: _head(content, passes=0), "more work"),
    "passes in words": (lambda content: _head(content, passes="three"), "more work"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_was_damaged_changes_nothing(
    damage: str, remint: Remint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happened to the file: one sentence, and the store is not even opened."""
    spoil, sentence = DAMAGE[damage]
    path = exported(remint)
    path.write_bytes(spoil(path.read_bytes()))
    monkeypatch.setenv("REMINT_STATE_DIR", str(tmp_path / "elsewhere"))
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "elsewhere").exists()


def test_no_file_is_a_sentence(remint: Remint) -> None:
    """A file that is not there is named."""
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.err) == (1, "remint: backup: No such file or directory\n")


# -- the password --------------------------------------------------------------------------------


def test_a_wrong_password_changes_nothing(
    remint: Remint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another password is one sentence, which does not repeat it."""
    exported(remint)
    Path("password").write_text("another-password")
    monkeypatch.setenv("REMINT_STATE_DIR", str(tmp_path / "elsewhere"))
    done = remint("import", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: the file was damaged, or the password is wrong\n"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"short\n", "12 characters or more"),
        (b"", "write the password into the first line"),
        (b"\nsecond line", "write the password into the first line"),
        (b"x" * 1025, "write the password into the first line"),
        (b"\xff" * 12, "not UTF-8"),
    ],
)
def test_a_password_that_does_not_do(content: bytes, sentence: str, remint: Remint) -> None:
    """A password that could be guessed, or is none, makes no file."""
    in_store(fill)
    Path("password").write_bytes(content)
    done = remint("export", "backup", "--password-file", "password")
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert sorted(os.listdir()) == ["password", "state"]


def test_nobody_to_ask(remint: Remint) -> None:
    """Without a terminal and without a file there is no password; standard input is not taken."""
    for command in ("export", "import"):
        path = "backup" if command == "export" else "password"
        done = remint(command, path, given=PASSWORD + "\n" + PASSWORD + "\n")
        assert (done.code, done.out) == (1, "")
        assert "--password-file" in done.err


def _at_terminal(*arguments: str, given: list[str]) -> tuple[int, str]:
    """Exit code and all that a terminal showed; each line is typed after a prompt."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "adapters.cli", *arguments])  # noqa: S606
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side was closed
        while select.select([terminal], [], [], PROMPT_SECONDS)[0]:
            shown += os.read(terminal, 4096)
            # the blank comes when the echo is off, and what was typed before is thrown away
            if given and shown.endswith(b": "):
                os.write(terminal, given.pop(0).encode() + b"\n")
    os.close(terminal)  # which ends a process that still waits
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_the_password_is_asked_for(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal it is asked for twice to export and once to import, and never shown."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    in_store(fill)
    code, shown = _at_terminal("export", "backup", given=[PASSWORD, PASSWORD])
    assert code == 0, shown
    assert "exported 3 documents" in shown
    assert MARK not in shown
    code, shown = _at_terminal("import", "backup", given=[PASSWORD])
    assert code == 0, shown
    assert "10 unchanged" in shown
    assert MARK not in shown
