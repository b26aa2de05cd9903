"""The load tester's page: the command lines and the limits that it names are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from bench import validity
from bench.cli import app
from bench.driver import run
from bench.report.groups import KEPT_UP, WRONG
from bench.target.options import CLIENT_SECRET_VARIABLE, PASSWORD_VARIABLE

PAGE = Path(__file__).parents[2] / "bench" / "README.md"


def lines(text: str) -> list[str]:
    """Command lines in fenced blocks, those that go on over several lines put together."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```$", text, re.M | re.S)
    whole = re.sub(r"\\\n\s*", "", "".join(blocks))
    return [line for line in whole.splitlines() if line.startswith("remint bench ")]


def parsed(line: str) -> None:
    """Read the line as the program would, and do nothing; raises what the program says of it."""
    name, *arguments = shlex.split(line)[2:]
    group = typer.main.get_command(app)
    if name == "--help":
        return
    command = group.commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


@pytest.mark.parametrize("line", lines(PAGE.read_text()))
def test_command_lines(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one that the program takes, files that it names being there."""
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.(?:pem|json)", line):
        Path(name).write_text("")
    parsed(line)
    for inner in re.findall(r'--run "([^"]+)"', line):
        parsed(inner)


def test_limits() -> None:
    """The table of rules names the limits that the program holds."""
    text = PAGE.read_text()
    assert f"at most {validity.MAX_LAG_SECONDS * 1000:.0f} ms" in text
    assert f"{validity.MAX_DRIVER_CPU:.0%}".replace("%", " %") + " of a core" in text
    assert f"| {validity.MAX_UNKEPT * 100:.0f} % |" in text
    assert f"| {validity.MAX_STEAL * 100:.0f} % of its time" in text
    assert f"| {validity.MIN_CHECKED * 100:.0f} % of them |" in text
    assert pytest.approx(1 - validity.MAX_UNKEPT) == KEPT_UP
    assert run.WRONG == WRONG
    for variable in (PASSWORD_VARIABLE, CLIENT_SECRET_VARIABLE):
        assert f"`{variable}`" in text
