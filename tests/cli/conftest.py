"""``remint`` in the tests' own process, on a local state folder and on a running broker."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from adapters.cli import main
from adapters.cli.client import local
from adapters.settings import load
from tests.support.caller import Caller
from tests.support.planted import ADMIN_PASSWORD, MARK, Planted
from tests.support.process import BrokerProcess, running


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Remint = Callable[..., Done]


@pytest.fixture
def remint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Remint]:
    """Runs a command, ``given`` on its standard input, with a state folder of the test's own."""
    monkeypatch.setenv("REMINT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD", ADMIN_PASSWORD)

    def run(*arguments: str, given: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["remint", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert MARK not in out + err
        return Done(int(ended.value.code or 0), out, err)

    yield run
    structlog.reset_defaults()  # the commands bound it to a standard error that is gone now


@pytest.fixture(scope="module")  # no file's tests find the users and keys of another's
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker for all commands of a file that are tried from afar."""
    with running(tmp_path_factory.mktemp("broker"), "serve") as broker:
        yield broker


class Site:
    """Where a command works: ``options`` lead there, and are added to every command."""

    def __init__(self, remint: Remint, broker: BrokerProcess | None) -> None:
        self._remint = remint
        self._broker = broker
        self._options = ("--url", broker.url) if broker else ()

    def run(self, *arguments: str, given: str = "") -> Done:
        return self._remint(*arguments, *self._options, given=given)

    def ok(self, *arguments: str, given: str = "") -> str:
        """What the command printed; it worked and warned of nothing."""
        done = self.run(*arguments, given=given)
        assert (done.code, done.err) == (0, "")
        return done.out

    def login(self, name: str, password: str) -> str:
        """A session, as somebody else would open it."""
        if self._broker is not None:
            with Caller(self._broker.url, Planted()) as caller:
                return caller.login(name, password)
        return asyncio.run(_login(name, password))


async def _login(name: str, password: str) -> str:
    head = {"X-OpenAM-Username": name, "X-OpenAM-Password": password}
    async with local(load()) as client:
        answer = await client.call("POST", "/json/authenticate", headers=head)
    return str(answer["tokenId"])


@pytest.fixture(params=["state", "url"])
def site(request: pytest.FixtureRequest, remint: Remint) -> Site:
    """The local state folder, then a running broker."""
    if request.param == "state":
        return Site(remint, None)
    return Site(remint, request.getfixturevalue("broker"))
