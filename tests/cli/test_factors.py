"""``remint users totp`` and ``remint users passcode``, on the state folder and from afar."""

from __future__ import annotations

import re
import time

import pytest

from tests.cli.conftest import Remint, Site
from tests.project.source import ROOT
from tests.support.planted import USER_PASSWORD
from tests.support.totp import App

PAGE = ROOT / "docs" / "auth-totp.md"
CODE = r"(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\n"


def enrol(site: Site, *words: str) -> App:
    said = site.ok("users", "totp", *words, "--enrol").splitlines()
    app = App(said[0])
    key = said[1].removeprefix("or type the key: ").replace(" ", "")
    assert f"secret={key}" in said[0]
    assert "--confirm CODE" in said[2]
    return app


def test_life_of_an_authenticator(site: Site) -> None:
    """An authenticator is enrolled, confirmed by its first code, listed and removed."""
    site.ok("users", "add", "tora", given=USER_PASSWORD)
    app = enrol(site, "tora")
    assert (app.label.partition(":")[2], app.algorithm, app.digits) == ("tora", "SHA1", 6)
    assert site.ok("users", "totp", "tora", "--list").startswith("tora pending (SHA1, 6 digits")
    said = site.ok("users", "totp", "tora", "--confirm", app.code(time.time()))
    assert said == "confirmed the authenticator of tora\n"
    assert site.ok("users", "totp", "--list").startswith("tora confirmed (SHA1, 6 digits, 30 s)")
    again = site.run("users", "totp", "tora", "--enrol")
    assert (again.code, "remove it first" in again.err) == (1, True)
    assert site.ok("users", "totp", "tora", "--remove") == "removed the authenticator of tora\n"
    assert site.ok("users", "totp", "--list") == ""


def test_account_of_a_directory(site: Site) -> None:
    """Whom a module knows needs no local user, and is listed under the account's name."""
    words = ["--digits", "8", "--algorithm", "SHA256", "--period", "60", "--issuer", "ACME"]
    app = enrol(site, "bob", "--module", "corp", *words)
    assert (app.algorithm, app.digits, app.period, app.issuer) == ("SHA256", 8, 60, "ACME")
    listed = site.ok("users", "totp", "bob", "--module", "corp", "--list")
    assert listed.startswith("auth://corp#bob pending (SHA256, 8 digits, 60 s)")
    assert site.ok("users", "totp", "bob", "--list") == ""
    site.ok("users", "totp", "bob", "--module", "corp", "--remove")


def test_life_of_a_passcode(site: Site) -> None:
    """A passcode is given out, shown this once, listed by its name and withdrawn."""
    site.ok("users", "add", "pia", given=USER_PASSWORD)
    code = site.ok("users", "passcode", "pia", "--hours", "0.5")
    assert re.fullmatch(CODE, code)
    name = code[:4]
    listed = site.ok("users", "passcode", "pia", "--list")
    assert re.fullmatch(rf"pia {name} open, until [0-9TZ:-]+\n", listed)
    assert site.ok("users", "passcode", "pia", "--withdraw", name) == f"withdrew {name}\n"
    assert site.ok("users", "passcode", "--list") == ""
    gone = site.run("users", "passcode", "pia", "--withdraw", name)
    assert (gone.code, "no such passcode" in gone.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["totp", "demo"], "choose one of --enrol"),
        (["totp", "demo", "--enrol", "--remove"], "choose one of --enrol"),
        (["totp", "--enrol"], "say whose it is"),
        (["passcode"], "say whose it is"),
        (["passcode", "demo", "--list", "--withdraw", "ABCD"], "choose one of --list"),
        (["passcode", "nobody"], "there is no user nobody"),
        (["totp", "admin", "--confirm", "123456"], "enrol one first"),
        (["passcode", "admin", "--hours", "1000"], "lifetime is 60 to"),
        (["totp", "admin", "--enrol", "--digits", "4"], "digits is one of 6, 7, 8"),
    ],
)
def test_refusals(site: Site, words: list[str], said: str) -> None:
    """A mistake is a sentence on standard error, and nothing is changed."""
    done = site.run("users", *words)
    assert done.code != 0
    assert said in " ".join(done.err.replace("│", " ").split())
    assert site.ok("users", words[0], "--list") == ""


def test_page(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands that docs/auth-totp.md shows print what it shows."""
    monkeypatch.setenv("REMINT_HTTP__PUBLIC_URL", "https://sts.example.com")
    assert remint("users", "add", "ann", given=USER_PASSWORD).code == 0
    (block,) = re.findall(r"^```\n(\$ .*?)^```$", PAGE.read_text(), re.M | re.S)
    commands = [part.split("\n", 1) for part in block.split("$ ")[1:]]
    assert len(commands) == 2
    app: App | None = None
    for line, shown in commands:
        words = line.split()[1:]
        if app is not None:
            words[-1] = app.code(time.time())
        done = remint(*words)
        assert done.code == 0, done.err
        assert re.fullmatch(re.escape(shown).replace("…", "[A-Z2-7 ]+"), done.out)
        app = app or App(done.out.splitlines()[0])
