"""Groups of commands that other packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from adapters.cli import plugged

GREETING = typer.Typer()


@GREETING.callback(invoke_without_command=True)
def greet() -> None:
    """Say something."""
    typer.echo("good day")


def app_with(monkeypatch: pytest.MonkeyPatch, value: str) -> typer.Typer:
    point = EntryPoint("greet", value, plugged.GROUP)
    monkeypatch.setattr(plugged, "entry_points", lambda **_: [point])
    app = typer.Typer()
    app.command("stays")(lambda: typer.echo("still here"))
    plugged.add_to(app)
    return app


def test_a_plugged_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of an entry point is called by the entry point's name."""
    app = app_with(monkeypatch, f"{__name__}:GREETING")
    assert CliRunner().invoke(app, ["greet"]).output == "good day\n"


def test_a_group_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with the reason, and the other commands work."""
    app = app_with(monkeypatch, "not_installed_anywhere:app")
    assert "the commands greet are not there" in capsys.readouterr().err
    assert CliRunner().invoke(app, []).output == "still here\n"
