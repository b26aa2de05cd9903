"""``remint config``: check, show, schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.settings import Settings, secret_paths
from tests.cli.conftest import Remint
from tests.support.planted import MARK


def test_check(remint: Remint) -> None:
    """Settings that hold together are said to; exit code 0."""
    done = remint("config", "check")
    assert (done.code, done.out, done.err) == (0, "the settings hold together\n", "")


def test_check_says_it_all(remint: Remint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every problem has a line of its own, whatever kind it is of; exit code 2."""
    file = tmp_path / "remint.toml"
    file.write_text("[http]\nprot = 80\n")
    wrong = {
        "REMINT_HTTP__PORT": "99999",
        "REMINT_REALMS": "not json",
        "REMINT_TYPO": "1",
        "REMINT_KEYS__ROOT_SECRET_FILE": str(tmp_path / "nowhere"),
        "REMINT_LOG__LEVEL": f"loud-{MARK}",
        "REMINT_HTTP__HOST": "192.0.2.1",
        "REMINT_STORE__URL": "mongodb://x",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    done = remint("config", "check", "--config", str(file))
    assert (done.code, done.out) == (2, "")
    assert sorted(line.split(":")[0] for line in done.err.splitlines()) == [
        "REMINT_KEYS__ROOT_SECRET_FILE",
        "REMINT_TYPO",
        "http.host",
        "http.port",
        "http.prot",
        "log.level",
        "realms",
        "store.url",
    ]


def test_check_makes_nothing_up(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on a setting that is wrong is not told before that is right."""
    monkeypatch.setenv("REMINT_HTTP__HOST", "192.0.2.1")
    monkeypatch.setenv("REMINT_HTTP__TLS", "offloadd")
    told = [line.split(":")[0] for line in remint("config", "check").err.splitlines()]
    assert told == ["http.tls"]


def test_check_finds_conflicts(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are each right and do not go together are problems too."""
    monkeypatch.setenv("REMINT_STORE__URL", "memory://")
    monkeypatch.setenv("REMINT_WORKERS", "2")
    monkeypatch.setenv("REMINT_HTTP__TLS", "on")
    done = remint("config", "check")
    assert (done.code, done.out) == (2, "")
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["store.url", "http.tls"]


def test_check_warns(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What works but is weak is a warning; exit code 0."""
    monkeypatch.setenv("REMINT_AMQP__URL", f"amqp://u:{MARK}@localhost/")
    monkeypatch.setenv("REMINT_AMQP__ALLOW_ANONYMOUS", "true")
    monkeypatch.setenv("REMINT_AMQP__REQUIRE_ENCRYPTED_CREDENTIALS", "false")
    monkeypatch.setenv("REMINT_MQTT__URL", f"mqtt://u:{MARK}@localhost")
    monkeypatch.setenv("REMINT_MQTT__ALLOW_ANONYMOUS", "true")
    monkeypatch.setenv("REMINT_SECURITY__ALLOW_LEGACY_OUTPUT", '["cbc", "sha1"]')
    done = remint("config", "check")
    assert (done.code, done.out) == (0, "the settings hold together\n")
    assert [line.split(":")[:2] for line in done.err.splitlines()] == [
        ["warning", " amqp.allow_anonymous"],
        ["warning", " mqtt.allow_anonymous"],
        ["warning", " amqp.require_encrypted_credentials"],
        ["warning", " security.allow_legacy_output"],
    ]


def test_keys_of_requesters(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of keys that cannot be used is a problem, with the key and what is wrong with it."""
    path = tmp_path / "requesters.json"
    monkeypatch.setenv("REMINT_REQUESTERS__JWKS_FILE", str(path))
    assert "requesters.jwks_file" in remint("config", "check").err
    path.write_text('{"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]}')
    done = remint("config", "check")
    assert done.code != 0
    assert "requesters.jwks_file" in done.err
    assert "key 1" in done.err
    path.write_text('{"keys": []}')
    assert remint("config", "check").code == 0


@pytest.mark.parametrize("command", ["check", "show"])
def test_no_file(remint: Remint, tmp_path: Path, command: str) -> None:
    """A file that is missing or no TOML is named; exit code 2."""
    file = tmp_path / "remint.toml"
    done = remint("config", command, "--config", str(file))
    assert (done.code, done.err) == (2, f"{file}: No such file or directory\n")
    file.write_text("= 1")
    done = remint("config", command, "--config", str(file))
    assert done.code == 2
    assert done.err.startswith(f"{file}: ")


def test_show_hides_secrets(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings in force are shown, and every secret among them as stars."""
    for section, key in secret_paths():
        scheme = "mqtt" if section == "mqtt" else "amqp"
        path = tmp_path / f"{section}-{key}"
        path.write_text(f"{scheme}://secret-{MARK}")
        monkeypatch.delenv(f"REMINT_{section}__{key}".upper(), raising=False)
        monkeypatch.setenv(f"REMINT_{section}__{key}_FILE".upper(), str(path))
    monkeypatch.setenv("REMINT_HTTP__PORT", "8443")
    done = remint("config", "show")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert shown["http"]["port"] == 8443
    hidden = [shown[section][key] for section, key in secret_paths()]
    assert hidden == ["**********"] * len(secret_paths())


def test_schema(remint: Remint) -> None:
    """The schema names every setting of the file."""
    done = remint("config", "schema")
    assert done.code == 0
    schema = json.loads(done.out)
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["additionalProperties"] is False


def test_check_looks_at_what_is_named(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files, URLs and secrets that a start would stumble over are told by check, all at once."""
    bad = tmp_path / "bad.toml"
    bad.write_text("url_element = 1\n")
    wrong = {
        "STORE__URL": "mongodb://x",
        "HTTP__TLS": "on",
        "HTTP__TLS_CERTIFICATE": str(tmp_path / "none.pem"),
        "HTTP__TLS_KEY": str(tmp_path / "none.key"),
        "KEYS__ROOT_SECRET": "short",
        "USERS__FILE": str(tmp_path / "none.toml"),
        "ISSUERS__FILE": str(tmp_path / "none.toml"),
        "AUTHORITIES__FILE": str(tmp_path / "none.toml"),
        "AUTHENTICATION__FILE": str(tmp_path / "none.toml"),
        "MQTT__URL": "mqtts://localhost",
        "MQTT__CA_FILE": str(tmp_path / "none.pem"),
        "AMQP__DEAD_LETTER_KEY": str(tmp_path / "none.pem"),
        "INSTANCES": json.dumps([str(bad), str(tmp_path / "none.toml")]),
    }
    for name, value in wrong.items():
        monkeypatch.setenv(f"REMINT_{name}", value)
    done = remint("config", "check")
    assert (done.code, done.out) == (2, "")
    assert [line.split(":")[0] for line in done.err.splitlines()] == [
        "store.url",
        "http.tls",
        "keys.root_secret",
        "users.file",
        "issuers.file",
        "authorities.file",
        "authentication.file",
        "amqp.dead_letter_key",
        "mqtt.ca_file",
        "instances",
        "instances",
    ]
    assert not (tmp_path / "state").exists()


def test_library_words_are_ours(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is told in words about settings."""
    monkeypatch.setenv("REMINT_HTTP__PROT", "1")
    monkeypatch.setenv("REMINT_INSTANCES", "one.toml")
    monkeypatch.setenv("REMINT_AMQP__URL", "localhost")
    assert remint("config", "check").err.splitlines() == [
        "instances: write a list; in a variable as JSON",
        "http.prot: no such setting",
        "amqp.url: write amqp://user:password@host/ or amqps://…",
    ]
