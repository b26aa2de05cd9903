"""``remint keys``, on the state folder and from afar."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.conftest import Site


def _keys(site: Site) -> dict[str, list[str]]:
    """Algorithm, state and time of each key, by its kid."""
    rows = [line.split("  ") for line in site.ok("keys", "list").splitlines()]
    return {kid: rest for kid, *rest in rows}


def test_first_keys_and_generate(site: Site) -> None:
    """A realm starts with keys; a generated one is active, and the one before it is retired."""
    before = _keys(site)
    active = {algorithm: kid for kid, (algorithm, state, _) in before.items() if state == "active"}
    assert sorted(active) == ["ES256", "RS256"]
    kid = site.ok("keys", "generate", "ES256").strip()
    after = _keys(site)
    assert after[kid][:2] == ["ES256", "active"]
    assert after[active["ES256"]][:2] == ["ES256", "retired"]
    assert after[active["RS256"]] == before[active["RS256"]]
    assert len(after) == len(before) + 1


def test_unknown_algorithm(site: Site) -> None:
    """An algorithm without keys is refused with a sentence; exit code 1."""
    done = site.run("keys", "generate", "HS256")
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: 400 Bad Request: keys are made for one of RS256, ES256\n"


def test_import(site: Site, tmp_path: Path) -> None:
    """A key from a file becomes the active one, and is never printed."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem)
    kid = site.ok("keys", "import", str(file)).strip()
    assert _keys(site)[kid][:2] == ["ES256", "active"]


def test_import_of_no_key(site: Site, tmp_path: Path) -> None:
    """What is no key, or no file, is a sentence; exit code 1."""
    file = tmp_path / "key.pem"
    file.write_text("none")
    done = site.run("keys", "import", str(file))
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: 400 Bad Request: this is no private key in PEM\n"
    done = site.run("keys", "import", str(tmp_path / "nowhere.pem"))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"remint: {tmp_path / 'nowhere.pem'}: No such file or directory\n"
