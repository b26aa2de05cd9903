"""``remint store slots``, ``add-slot`` and ``remove-slot``: moving to another wrapping key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Remint
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis
from tests.support.wrapping_keys import install_plugin, written_pair

OLD, NEW, SAFE = ("01" * 32, "02" * 32, "03" * 32)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        yield running


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=[pytest.mark.server, pytest.mark.xdist_group("redis")]),
    ]
)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store that the commands work on, by settings; which kind it is."""
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis")
        redis.empty()
        monkeypatch.setenv("REMINT_STORE__URL", redis.url)
    return str(request.param)


def _slots(remint: Remint) -> dict[str, str]:
    done = remint("store", "slots")
    assert (done.code, done.err) == (0, "")
    return dict(line.split("  ") for line in done.out.splitlines())


def _secret(monkeypatch: pytest.MonkeyPatch, present: str, previous: str = "") -> None:
    monkeypatch.setenv("REMINT_KEYS__ROOT_SECRET", present)
    monkeypatch.setenv("REMINT_KEYS__PREVIOUS_ROOT_SECRET", previous)


def test_moving_to_a_new_root_secret(
    remint: Remint, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Previous and present secret both have a slot until the old one is removed; then it is out."""
    _secret(monkeypatch, OLD)
    ((old, use),) = _slots(remint).items()
    assert use == "in use"
    _secret(monkeypatch, NEW)
    refused = remint("store", "slots")
    assert (refused.code, refused.out) == (1, "")
    assert "another root secret" in refused.err
    assert old in refused.err
    _secret(monkeypatch, NEW, OLD)
    slots = _slots(remint)
    (new,) = slots.keys() - {old}
    assert slots == {old: "opens", new: "in use"}
    _secret(monkeypatch, NEW)
    assert _slots(remint) == {old: "-", new: "in use"}
    done = remint("store", "remove-slot", old)
    assert (done.code, done.out, done.err) == (0, f"removed {old}\n", "")
    assert _slots(remint) == {new: "in use"}
    _secret(monkeypatch, OLD)
    assert remint("store", "slots").code == 1


def test_what_cannot_be_removed(
    remint: Remint, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot in use, and one that is not there: a sentence each, and nothing is changed."""
    _secret(monkeypatch, OLD)
    ((old, _),) = _slots(remint).items()
    for name, sentence in ((old, "own settings use that slot"), ("nobody", "no slot of that name")):
        done = remint("store", "remove-slot", name)
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err
    assert list(_slots(remint)) == [old]


def test_moving_to_a_certificate_and_on_to_another(
    remint: Remint, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the root secret in the state folder to a certificate, and from that to the next."""
    if store == "redis":
        _secret(monkeypatch, OLD)
    ((root, _),) = _slots(remint).items()
    for name in ("first", "second"):
        written_pair(tmp_path, name, passphrase="a-pl4nted-passphrase")
    monkeypatch.setenv("REMINT_KEYS__WRAPPING_PASSPHRASE", "a-pl4nted-passphrase")
    monkeypatch.setenv("REMINT_KEYS__WRAPPING_CERTIFICATE", str(tmp_path / "first.pem"))
    monkeypatch.setenv("REMINT_KEYS__WRAPPING_KEY", str(tmp_path / "first.key"))
    slots = _slots(remint)
    (first,) = slots.keys() - {root}
    assert (first[:12], slots) == ("certificate/", {root: "opens", first: "in use"})
    assert remint("store", "remove-slot", root).code == 0
    pair = ("--certificate", str(tmp_path / "second.pem"), "--key", str(tmp_path / "second.key"))
    added = remint("store", "add-slot", *pair)
    assert (added.code, added.err) == (0, "")
    second = added.out.split()[1]
    monkeypatch.setenv("REMINT_KEYS__WRAPPING_CERTIFICATE", str(tmp_path / "second.pem"))
    monkeypatch.setenv("REMINT_KEYS__WRAPPING_KEY", str(tmp_path / "second.key"))
    assert remint("store", "remove-slot", first).code == 0
    assert _slots(remint) == {second: "in use"}


def test_a_root_secret_for_the_safe(
    remint: Remint, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root secret that no broker has opens the store when the plug-in's key is lost."""
    install_plugin(tmp_path, monkeypatch)
    monkeypatch.setenv("REMINT_KEYS__WRAPPER", "acme")
    assert _slots(remint) == {"hsm/1": "in use"}
    file = tmp_path / "safe"
    file.write_text(SAFE + "\n")
    added = remint("store", "add-slot", "--root-secret", str(file))
    assert (added.code, added.err) == (0, "")
    monkeypatch.setenv("REMINT_KEYS__WRAPPER", "")
    _secret(monkeypatch, SAFE)
    assert _slots(remint) == {"hsm/1": "-", added.out.split()[1]: "in use"}


def test_a_key_to_add_must_be_named(remint: Remint, tmp_path: Path) -> None:
    """One wrapping key is added at a time; half of a pair, or a bad secret, is not."""
    bad = tmp_path / "bad"
    bad.write_text("hunter2")
    for options in (
        (),
        ("--certificate", "a.pem"),
        ("--root-secret", str(bad), "--certificate", "a.pem", "--key", "a.key"),
    ):
        done = remint("store", "add-slot", *options)
        assert (done.code, done.out) == (2, "")
        assert "--root-secret" in done.err
    done = remint("store", "add-slot", "--root-secret", str(bad))
    assert (done.code, done.out) == (1, "")
    assert "32 random bytes" in done.err
    assert "hunter2" not in done.err


def test_memory_has_no_slots(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps nothing has nothing to open."""
    monkeypatch.setenv("REMINT_STORE__URL", "memory://")
    done = remint("store", "slots")
    assert (done.code, done.out) == (1, "")
    assert "memory://" in done.err


def test_a_state_folder_without_its_secret_is_told_where_to_put_it(
    remint: Remint, tmp_path: Path
) -> None:
    """If the file is gone, no other takes its place, and the command says where it belongs."""
    assert remint("store", "slots").code == 0
    file = tmp_path / "state" / "root-secret"
    kept = file.read_bytes()
    file.unlink()
    done = remint("store", "slots")
    assert done.code == 1
    assert f"copy that of the broker that made the store to {file} (mode 0600)" in done.err
    assert not file.exists()
    file.write_bytes(kept)
    file.chmod(0o600)
    assert remint("store", "slots").code == 0
