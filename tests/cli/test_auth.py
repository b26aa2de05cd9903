"""``remint auth``: modules, chains and defaults, and a login tried from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Remint, Site
from tests.support.planted import USER_PASSWORD
from tests.support.word_module import install_word

FILE = """
[[module]]
name = "staff"
kind = "files"

[[chain]]
name = "staffOnly"
modules = [{ module = "staff", flag = "required" }]

[[default]]
X509 = "service|staffOnly"
"""

WORDS = f"""
[[module]]
name = "words"
kind = "word"
word = "{USER_PASSWORD}"
attributes = {{ mail = "w@example.org" }}

[[module]]
name = "down"
kind = "word"
word = "x"
does = "down"

[[module]]
name = "codes"
kind = "word"
word = "123456"
does = "ask"

[[chain]]
name = "two"
modules = [{{ module = "words", flag = "requisite" }}, {{ module = "codes", flag = "required" }}]

[[chain]]
name = "lame"
modules = [{{ module = "down", flag = "requisite" }}, {{ module = "words", flag = "required" }}]

[[default]]
USERNAME = "module|words"
"""


def test_life(site: Site, tmp_path: Path) -> None:
    """What a file declares is put in place, listed, shown and removed, as long as nothing that
    stays names it."""
    (tmp_path / "a.toml").write_text(FILE)
    put = site.ok("auth", "put", str(tmp_path / "a.toml"))
    names = ["module/staff", "chain/staffOnly", "default/X509"]
    assert put.splitlines() == [f"put {name} in /" for name in names]
    assert site.ok("auth", "list").splitlines() == [
        "module/staff files",
        "chain/staffOnly staff required",
        "default/X509 service|staffOnly",
    ]
    assert json.loads(site.ok("auth", "get", "chain/staffOnly"))["modules"]
    refused = site.run("auth", "delete", "module/staff")
    assert (refused.code, "the chain staffOnly names" in refused.err) == (1, True)
    for name in reversed(names):
        assert site.ok("auth", "delete", name) == f"removed {name}\n"
    assert site.ok("auth", "list") == ""


@pytest.mark.parametrize("name", ["staff", "modules/staff", "module/"])
def test_names_that_lead_nowhere(remint: Remint, name: str) -> None:
    """A name without its part is refused with a sentence that says how to write it."""
    done = remint("auth", "get", name)
    assert done.code == 2
    assert "module/NAME" in " ".join(done.err.split())


@pytest.fixture
def words(remint: Remint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remint:
    """The command, on a store with the modules of ``WORDS``."""
    install_word(tmp_path, monkeypatch)
    (tmp_path / "words.toml").write_text(WORDS)
    assert remint("auth", "put", str(tmp_path / "words.toml")).code == 0
    return remint


def tried(words: Remint, *options: str, given: str = USER_PASSWORD + "\n") -> tuple[int, str]:
    done = words("auth", "test", "--username", "alice", *options, given=given)
    assert done.err == ""
    return done.code, done.out


def test_login_is_explained(words: Remint) -> None:
    """A login at the realm's default is told module by module, and then who it is; attributes are
    shown only if that is asked for."""
    code, out = tried(words)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "target module|words in /"
    assert lines[1].startswith("  words (alone) passed, ")
    assert lines[2:] == ["accepted: alice (auth://words#alice)", "  by kba", "  mail: 1 value(s)"]
    assert tried(words, "--show-attributes")[1].splitlines()[-1] == "  mail: w@example.org"


@pytest.mark.parametrize(
    ("listed", "written"),
    [("module/words", "module|words"), ("module/DataStore", "module|DataStore"),
     ("chain/two", "service|two")],
)  # fmt: skip
def test_targets_as_list_prints_them(words: Remint, listed: str, written: str) -> None:
    """What ``auth list`` prints in front of a row is a target too."""
    told = tried(words, "--target", listed)[1]
    assert told.splitlines()[0] == f"target {written} in /"


def test_refused_login_is_explained(words: Remint) -> None:
    """A refused login says which module refused it and why, and ends with exit code 1."""
    code, out = tried(words, "--target", "service|two", given="wrong\n")
    assert code == 1
    assert "  words (requisite) failed, " in out
    assert ": another word\n" in out
    assert "  codes (required) was not asked\n" in out
    assert out.endswith("refused: Authentication Failed\n")


def test_nobody_could_be_asked(words: Remint) -> None:
    """Where a module is down that had to be asked the exit code is 2."""
    code, out = tried(words, "--target", "service|lame")
    assert code == 2
    assert "  down (requisite) down, " in out
    assert "nobody could be asked: " in out


@pytest.mark.parametrize("asked", [("--otp",), ()])
def test_second_factor(words: Remint, asked: tuple[str, ...]) -> None:
    """A code is taken at once with --otp, or when the module asks for it."""
    given = f"{USER_PASSWORD}\n123456\n"
    code, out = tried(words, "--target", "service|two", *asked, given=given)
    assert (code, "  codes (required) passed, " in out) == (0, True)
    assert ("  codes (required) asks back, " in out) == (not asked)
    wrong = tried(words, "--target", "service|two", *asked, given=f"{USER_PASSWORD}\n1\n")
    assert wrong[0] == 1


def test_own_users(remint: Remint) -> None:
    """Without any module a login is tried as the broker itself checks it."""
    done = remint("auth", "test", "--username", "admin", given="wrong\n")
    assert (done.code, "DataStore (alone) failed" in done.out) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "staff"), "service|CHAIN"),
        (("--target", "default/USERNAME"), "chain/NAME"),
        (("--target", "chain/"), "chain/NAME"),
        (("--target", "chain/nope"), "no authentication chain called nope"),
        (("--target", "module|nope"), "no authentication module called nope"),
        (("--realm", "/nowhere"), "no realm /nowhere"),
        (("--type", "KERBEROS"), "add --target"),
    ],
)
def test_targets_that_are_not_there(remint: Remint, options: tuple[str, ...], words: str) -> None:
    """What cannot be tried is said in a sentence, and is no refusal of a login: exit code 2."""
    done = remint("auth", "test", "--username", "alice", *options, given="x\n")
    assert done.code == 2
    assert words in " ".join(done.err.replace("│", " ").split())
    assert "refused" not in done.out
