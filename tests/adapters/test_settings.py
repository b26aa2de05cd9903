"""Settings: where they come from, which wins, and everything that is wrong with them at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from adapters.settings import (
    InvalidSettings,
    load,
    secret,
    secret_paths,
)
from adapters.settings_checks import warnings
from adapters.settings_secrets import MAX_SECRET_FILE_BYTES
from broker.model import Secret
from tests.support.planted import MARK

SECRETS = [
    ("store", "url"),
    ("keys", "root_secret"),
    ("keys", "previous_root_secret"),
    ("keys", "wrapping_passphrase"),
    ("keys", "passphrase"),
    ("admin", "password"),
    ("amqp", "url"),
    ("mqtt", "url"),
]


def _toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "remint.toml"
    path.write_text(text)
    return path


def _problems(config: Path | None = None) -> list[str]:
    with pytest.raises(InvalidSettings) as invalid:
        load(config)
    assert MARK not in str(invalid.value)
    return invalid.value.problems


def test_defaults() -> None:
    """Nothing needs to be set: loopback, one worker, SQLite in the state folder, no password."""
    settings = load()
    assert (settings.http.host, settings.http.port, settings.http.tls) == ("127.0.0.1", 8080, "off")
    assert (settings.workers, settings.state_dir) == (1, Path(".remint"))
    assert settings.store_url == "sqlite:///.remint/remint.db"
    assert settings.all_realms == ("/",)
    assert [secret(getattr(getattr(settings, s), k)) for s, k in SECRETS] == [None] * len(SECRETS)
    assert warnings(settings) == []


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over a variable, that over the file, and the file over the default."""
    path = _toml(tmp_path, 'workers = 2\n[http]\nport = 1\nhost = "localhost"\n')
    assert (load(path).workers, load(path).http.port) == (2, 1)
    monkeypatch.setenv("REMINT_WORKERS", "3")
    monkeypatch.setenv("REMINT_HTTP__PORT", "2")
    settings = load(path)
    assert (settings.workers, settings.http.port, settings.http.host) == (3, 2, "localhost")
    assert load(path, workers=4).workers == 4
    assert load(path, workers=None).workers == 3


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REMINT_CONFIG names the file, unless the command line names one."""
    monkeypatch.setenv("REMINT_CONFIG", str(_toml(tmp_path, "workers = 2")))
    assert load().workers == 2
    other = tmp_path / "other.toml"
    other.write_text("workers = 3")
    assert load(other).workers == 3


def test_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable holds a list or a whole section as JSON."""
    monkeypatch.setenv("REMINT_REALMS", '["fred/bobo", "/sales/"]')
    monkeypatch.setenv("REMINT_HTTP", '{"port": 1, "host": "::1"}')
    monkeypatch.setenv("REMINT_HTTP__PORT", "2")
    settings = load()
    assert settings.all_realms == ("/", "/fred/bobo", "/sales")
    assert (settings.http.port, settings.http.host) == (2, "::1")


def test_every_problem_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes of every kind, in file and variables, are told together, each by its name."""
    path = _toml(tmp_path, "unheard = 1\n[http]\nport = 70000\ntls = 'maybe'\n[nothing]\n")
    wrong = {
        "REMINT_REALMS": "/fred",
        "REMINT_HTTP__CONTEXT_PATH": '["openam"]',
        "REMINT_HTTP__TRUSTED_PROXIES": '["10.0.0.300"]',
        "REMINT_HTTP__PROT": "1",
        "REMINT_STORE": "sqlite",
        "REMINT_SESSIONS__MAX_IDLE_SECONDS": "soon",
        "REMINT_TYPO": "1",
        "REMINT_KEYS__PASSPHRASE_FILE": "/nowhere/passphrase",
        "REMINT_AMQP__URL_FILE": "/",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert sorted(problem.split(": ")[0] for problem in _problems(path)) == [
        "REMINT_AMQP__URL_FILE",
        "REMINT_KEYS__PASSPHRASE_FILE",
        "REMINT_TYPO",
        "http.context_path.0",
        "http.port",
        "http.prot",
        "http.tls",
        "http.trusted_proxies.0",
        "nothing",
        "realms",
        "sessions.max_idle_seconds",
        "store",
        "unheard",
    ]


def test_problems_hide_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is never repeated, since it may be a secret in the wrong place."""
    monkeypatch.setenv("REMINT_HTTP__PORT", MARK)
    monkeypatch.setenv("REMINT_REALMS", MARK)
    monkeypatch.setenv("REMINT_KEYS", MARK)
    assert len(_problems()) == 3


@pytest.mark.parametrize("content", [b"workers = ", b"\xff\xfe"])
def test_broken_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no TOML is named."""
    path = tmp_path / "remint.toml"
    path.write_bytes(content)
    (problem,) = _problems(path)
    assert problem.startswith(f"{path}: ")


def test_secrets_are_known() -> None:
    """These settings are secrets; each of them has a ``…_FILE`` form."""
    assert secret_paths() == SECRETS


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_secret_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str
) -> None:
    """A secret is read from the file that its variable names, without the last line's end."""
    given = f"{section}://{MARK}"  # a URL where one is wanted, and as good as any text elsewhere
    (tmp_path / "secret").write_text(f"{given}\n")
    name = f"REMINT_{section}__{key}".upper()
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    settings = load()
    assert secret(getattr(getattr(settings, section), key)) == Secret(given)
    assert MARK not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_secret_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable itself wins over its ``…_FILE`` form, and that over the TOML file."""
    path = _toml(tmp_path, '[admin]\npassword = "from-toml"')
    assert secret(load(path).admin.password) == Secret("from-toml")
    (tmp_path / "secret").write_text("from-file")
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD_FILE", str(tmp_path / "secret"))
    assert secret(load(path).admin.password) == Secret("from-file")
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD", "from-variable")
    assert secret(load(path).admin.password) == Secret("from-variable")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (MARK.encode() + b"\xff", "the file is not UTF-8 text"),
        (MARK.encode() + b"x" * MAX_SECRET_FILE_BYTES, "the file is over 65536 bytes"),
    ],
)
def test_unfit_secret_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, sentence: str
) -> None:
    """A secret's file that is empty, overlong or no text is a mistake, not an empty secret."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD_FILE", str(path))
    assert _problems() == [f"REMINT_ADMIN__PASSWORD_FILE: {path}: {sentence}"]


def test_empty_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty secret counts as not set, as does an empty ``…_FILE``."""
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD", "")
    monkeypatch.setenv("REMINT_KEYS__PASSPHRASE_FILE", "")
    settings = load()
    assert secret(settings.admin.password) is None
    assert secret(settings.keys.passphrase) is None
    assert secret(SecretStr("")) is None


def test_only_secrets_have_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``…_FILE`` variable of what is no secret is a mistake."""
    monkeypatch.setenv("REMINT_HTTP__PORT_FILE", os.devnull)
    assert [problem.split(": ")[0] for problem in _problems()] == ["http.port_file"]


def test_frozen() -> None:
    """Settings do not change once they are read."""
    settings = load()
    with pytest.raises(ValidationError):
        settings.workers = 2  # type: ignore[misc]  # to be refused
    with pytest.raises(ValidationError):
        settings.http.port = 1  # type: ignore[misc]  # likewise


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """On loopback clear text is fine."""
    monkeypatch.setenv("REMINT_HTTP__HOST", host)
    assert load().http.host == host


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.0.2.1", "localhost.example.com"])  # noqa: S104  # refused
def test_beyond_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Anywhere else TLS is needed, here or in front; an unknown name counts as elsewhere."""
    monkeypatch.setenv("REMINT_HTTP__HOST", host)
    (problem,) = _problems()
    assert problem.startswith(f"http.host: {host} is reachable from other machines")
    monkeypatch.setenv("REMINT_HTTP__TLS", "offloaded")
    assert load().http.host == host


def test_tls_needs_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS needs both a certificate and a key."""
    monkeypatch.setenv("REMINT_HTTP__TLS", "on")
    monkeypatch.setenv("REMINT_HTTP__TLS_CERTIFICATE", "tls.crt")
    assert _problems() == ["http.tls: on needs http.tls_certificate and http.tls_key"]
    monkeypatch.setenv("REMINT_HTTP__TLS_KEY", "tls.key")
    assert load().http.tls == "on"


def test_memory_is_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in memory cannot be shared by workers, wherever their number comes from."""
    monkeypatch.setenv("REMINT_STORE__URL", "memory://")
    assert load().store_url == "memory://"
    with pytest.raises(InvalidSettings, match="memory:// cannot be shared"):
        load(workers=2)


def test_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is weak and was asked for by name is warned of."""
    monkeypatch.setenv("REMINT_SECURITY__ALLOW_LEGACY_OUTPUT", '["sha1", "short-hmac"]')
    assert [said.split(": ")[1].split()[0] for said in warnings(load())] == ["sha1", "short-hmac"]
    monkeypatch.setenv("REMINT_SECURITY__ALLOW_LEGACY_OUTPUT", "[]")
    assert warnings(load()) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("STATE_DIR", "", "state_dir"),
        ("HTTP__CONTEXT_PATH", '["/{x}"]', "http.context_path.0"),
        ("HTTP__COOKIE_NAME", "Host", "http.cookie_name"),
        ("HTTP__COOKIE_NAME", "a b", "http.cookie_name"),
        ("AMQP__URL", "localhost", "amqp.url"),
        ("REALMS", '["/fred", "/FRED"]', "realms"),
        ("REALMS", '["/users"]', "realms.0"),
        ("SESSIONS__MAX_LIFE_SECONDS", "99999999999999999999", "sessions.max_life_seconds"),
        ("ANSWERS__TTL", "99999999999", "answers.ttl"),
    ],
)
def test_what_cannot_work_is_told_before_it_fails(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """A value that would only fail once requests come is a problem of the settings."""
    monkeypatch.setenv(f"REMINT_{name}", value)
    assert [said.split(": ")[0] for said in _problems()] == [problem]


def test_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty REMINT_CONFIG names no file."""
    monkeypatch.setenv("REMINT_CONFIG", "")
    assert load() == load()
