"""The options of a target on the command line, and what becomes of secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from bench.target import NotPrepared
from bench.target.flags import KindOf, with_target
from bench.target.options import (
    CLIENT_SECRET_VARIABLE,
    PASSWORD_VARIABLE,
    Kind,
    Output,
    TargetOptions,
    secret_from,
)

URL = "http://127.0.0.1:9/rest-sts/bench"


class Loaded:
    """A command that loads a target, and what it was given."""

    def __init__(self) -> None:
        self.app = typer.Typer()
        self.given: tuple[str, TargetOptions, Kind, bool] | None = None

        @self.app.command()
        @with_target
        def load(
            url: str,
            target: TargetOptions,
            kind: KindOf = Kind.REST_STS,
            quiet: Annotated[bool, typer.Option("--quiet", help="No words.")] = False,
        ) -> None:
            self.given = url, target, kind, quiet

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> TargetOptions:
        result = CliRunner().invoke(self.app, [URL, *arguments], env=environment or {})
        assert result.exception is None, result.output
        assert self.given is not None
        return self.given[1]


def test_plain_call() -> None:
    """Without options a target is what TargetOptions says by itself."""
    loaded = Loaded()
    assert loaded.run() == TargetOptions()
    assert loaded.given == (URL, TargetOptions(), Kind.REST_STS, False)


def test_options_reach_the_target(tmp_path: Path) -> None:
    """Options of the target and of the command come to each; --quiet comes to both."""
    loaded = Loaded()
    target = loaded.run(
        *("--output", "saml2", "--not-kept", "--sessions", "7", "--target", "token-exchange"),
        *("--mint-key", str(tmp_path / "key.pem"), "--introspect", "http://127.0.0.1:9/i"),
        "--quiet",
    )
    assert (target.output, target.kept, target.sessions) == (Output.SAML2, False, 7)
    assert (target.mint_key, target.kept_url) == (tmp_path / "key.pem", "http://127.0.0.1:9/i")
    assert target.quiet
    assert loaded.given is not None
    assert loaded.given[2:] == (Kind.TOKEN_EXCHANGE, True)


def test_help_names_every_option() -> None:
    """The command's help lists the options of the target beside its own, and takes no secret."""
    shown = CliRunner().invoke(Loaded().app, ["--help"], env={"COLUMNS": "200"}).output
    for name in ("--quiet", "--target", "--password-file", "--users", "--mint-key", "--jwks"):
        assert name in shown
    assert "--password " not in shown
    assert "--client-secret " not in shown


def test_secrets_from_the_environment() -> None:
    """Secrets come from the environment, and stand in no repr and in no record."""
    target = Loaded().run(
        *("--username", "demo", "--client-id", "bench"),
        environment={PASSWORD_VARIABLE: "hush-1", CLIENT_SECRET_VARIABLE: "hush-2"},
    )
    assert (target.password, target.client_secret) == ("hush-1", "hush-2")
    assert "hush" not in f"{target!r} {target.facts()}"
    assert target.facts()["target.username"] == "demo"


def test_secrets_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file wins over the environment; one that is empty or missing is named."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "other")
    file = tmp_path / "password"
    file.write_text("hush\nsecond line\n")
    assert Loaded().run("--password-file", str(file)).password == "hush"
    file.write_text("\n")
    with pytest.raises(NotPrepared, match="is empty"):
        secret_from(file, PASSWORD_VARIABLE)
    refused = CliRunner().invoke(Loaded().app, [URL, "--password-file", str(file)])
    assert refused.exit_code == 2
    assert "is empty" in refused.output
    with pytest.raises(NotPrepared, match="cannot be read"):
        secret_from(tmp_path / "none", PASSWORD_VARIABLE)


def test_a_command_without_a_target() -> None:
    """A command that takes no target cannot be given the options of one."""

    def load(url: str) -> None: ...

    with pytest.raises(ValueError, match="takes no target"):
        with_target(load)


def test_facts() -> None:
    """The record says what was set, and always whether the server was asked for its tokens."""
    assert TargetOptions().facts() == {"target.kept": "checked"}
    facts = TargetOptions(kept=False, certificate=Path("/secret/place/signer.pem")).facts()
    assert facts == {"target.kept": "not checked", "target.certificate": "signer.pem"}
