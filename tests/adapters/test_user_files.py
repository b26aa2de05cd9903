"""Users from TOML files, and what may be written of a user."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.directories import users
from adapters.stores.memory import open_memory
from broker.errors import InvalidRequest
from broker.model import Secret, User

HASH = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$yDFqLzb1IbHPLqpGHEZqKo7DGZpOfDuTLhP8KGQ0FPE"
ONE = f'[[user]]\nname = "ada"\npassword_hash = "{HASH}"\n'


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "users.toml"
    path.write_text(text)
    return path


def test_read(tmp_path: Path) -> None:
    """Realm, state and attributes are read; each has a default."""
    text = (
        ONE + '[[user]]\nname = "bob"\nrealm = "fred/bobo/"\nactive = false\n'
        f'password_hash = "{HASH}"\n[user.attributes]\nmail = "b@example.com"\nroles = ["a", "b"]\n'
    )
    assert users.read(_file(tmp_path, text)) == [
        User("ada", "/", Secret(HASH)),
        User(
            "bob",
            "/fred/bobo",
            Secret(HASH),
            {"mail": ("b@example.com",), "roles": ("a", "b")},
            active=False,
        ),
    ]


async def test_import(tmp_path: Path) -> None:
    """Imported users take the place of their namesakes, and others stay."""
    store = open_memory().users
    await store.put(User("ada", "/", Secret("old"), {"mail": ("old",)}))
    await store.put(User("eve", "/", Secret("kept")))
    assert await users.import_file(_file(tmp_path, ONE), store) == 1
    assert await store.list("/") == [
        User("ada", "/", Secret(HASH)),
        User("eve", "/", Secret("kept")),
    ]


async def test_import_is_all_or_nothing(tmp_path: Path) -> None:
    """A mistake in one user keeps out all of the file."""
    store = open_memory().users
    with pytest.raises(InvalidRequest):
        await users.import_file(_file(tmp_path, ONE + '[[user]]\nname = "bob"\n'), store)
    assert await store.list("/") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[user]\n", "Expected"),
        ('user = "ada"', "write each user under [[user]], and nothing else"),
        ('user = ["ada"]', "user 1: write each user under [[user]]"),
        (ONE.replace("[[user]]", "[[users]]"), "write each user under [[user]], and nothing else"),
        (ONE + "actve = false", "user 1: there is no member actve"),
        (ONE + 'active = "false"', "user 1: realm is a string, active is true or false"),
        (ONE + "realm = 1", "user 1: realm is a string, active is true or false"),
        (ONE + ONE.replace("ada", ""), "user 2: a user needs a name of up to 255 characters"),
        (ONE.replace("ada", "a" * 256), "user 1: a user needs a name of up to 255 characters"),
        (ONE.replace("ada", "a/b"), "user 1: a user name is printable, without outer blanks"),
        (ONE.replace("ada", " ada"), "user 1: a user name is printable, without outer blanks"),
        (ONE.replace("ada", "a\\nb"), "user 1: a user name is printable, without outer blanks"),
        (ONE.replace(HASH, "plain"), "user 1: password_hash is what `remint users hash` prints"),
        (ONE.replace(HASH, "$argon2id$x"), "user 1: password_hash is what"),
        (ONE.replace(HASH, HASH.replace("id", "i")), "user 1: password_hash is what"),
        (ONE.replace(HASH, HASH + "x" * 512), "user 1: password_hash is what"),
        ('[[user]]\nname = "ada"\n', "user 1: password_hash is what"),
        (ONE + "attributes = 1", "user 1: attributes are an object of up to 100 members"),
        (ONE + "[user.attributes]\nmail = 1", "user 1: attribute mail: write a string or a list"),
        (ONE + "[user.attributes]\nmail = [1]", "user 1: attribute mail: each value is text"),
        (ONE + '[user.attributes]\nmail = "\\u0001"', "user 1: attribute mail: each value is text"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, sentence: str) -> None:
    """A mistake is one sentence that names the file, which user it is, and what to write."""
    path = _file(tmp_path, text)
    with pytest.raises(InvalidRequest) as refused:
        users.read(path)
    assert refused.value.sentence.startswith(f"{path}: {sentence}")
    assert HASH not in refused.value.sentence


def test_no_file(tmp_path: Path) -> None:
    """A file that is missing or no text is named."""
    with pytest.raises(InvalidRequest) as refused:
        users.read(tmp_path / "nowhere")
    assert refused.value.sentence == f"{tmp_path / 'nowhere'}: No such file or directory"
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequest, match="utf-8"):
        users.read(tmp_path / "bytes")


def test_no_users(tmp_path: Path) -> None:
    """A file without users is fine and has none."""
    assert users.read(_file(tmp_path, "")) == []
