"""``remint keys``, on the state folder and from afar."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.cli.keys import RUNBOOK
from adapters.keys.private_keys import ALGORITHMS
from tests.cli.conftest import Site


def _keys(site: Site) -> dict[str, list[str]]:
    """Algorithm, state, time and what comes of it for each key, by its kid."""
    rows = [line.split("  ") for line in site.ok("keys", "list").splitlines()]
    return {kid: rest for kid, *rest in rows}


def _active(site: Site, algorithm: str) -> str:
    return next(kid for kid, row in _keys(site).items() if row[:2] == [algorithm, "active"])


def test_first_keys_and_generate(site: Site) -> None:
    """A realm has keys from the start; a generated one stands by, and the others sign on."""
    before = _keys(site)
    assert {row[0] for row in before.values() if row[1] == "active"} == {"ES256", "RS256"}
    kid = site.ok("keys", "generate", "ES256").strip()
    after = _keys(site)
    assert after[kid][:2] == ["ES256", "next"]
    assert after[kid][3] == "standby"
    assert {key: row for key, row in after.items() if key != kid} == before


@pytest.mark.parametrize("algorithm", ["PS384", "ES512", "Ed25519"])
def test_first_key_of_another_algorithm(site: Site, algorithm: str) -> None:
    """A key for an algorithm that nothing signs with yet is the one that will, with a certificate
    of its own."""
    kid = site.ok("keys", "generate", algorithm).strip()
    assert _keys(site)[kid][:2] == [algorithm, "active"]
    printed = site.ok("keys", "certificate", kid)
    assert x509.load_pem_x509_certificate(printed.encode()).subject


def test_certificate(site: Site) -> None:
    """The certificate of a key is printed as PEM, and belongs to that realm's key."""
    printed = site.ok("keys", "certificate", _active(site, "ES256"))
    found = x509.load_pem_x509_certificate(printed.encode())
    assert found.subject.rfc4514_string() == "CN=Remint /"
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)


def test_rotate(site: Site) -> None:
    """A rotation says which key takes over when, and asked again says the same."""
    old = _active(site, "RS256")
    said = site.ok("keys", "rotate", "RS256")
    kid, algorithm, state, _, when = said.strip().split("  ")
    assert (algorithm, state) == ("RS256", "next")
    assert when.startswith("signs from 20")
    assert site.ok("keys", "rotate", "RS256") == said
    assert _keys(site)[kid][3] == when
    assert _active(site, "RS256") == old


def test_revoke(site: Site) -> None:
    """A revocation names the key that is gone and the one that signs, and says what to do next."""
    old = _active(site, "ES256")
    gone, active, *advice = site.ok("keys", "revoke", old).splitlines()
    assert gone.split("  ")[:3] == [old, "ES256", "revoked"]
    assert active.split("  ")[1:3] == ["ES256", "active"]
    assert "\n".join(advice) == RUNBOOK
    assert _active(site, "ES256") == active.split("  ")[0] != old


def test_revoke_of_no_key(site: Site) -> None:
    """A kid of nobody is a sentence; exit code 1."""
    done = site.run("keys", "revoke", "nobody")
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: 404 Not Found: there is no key nobody in this realm\n"


@pytest.mark.parametrize("command", ["revoke", "certificate"])
def test_a_kid_that_begins_with_a_hyphen(site: Site, command: str) -> None:
    """One kid in 64 begins with a hyphen, and is no option."""
    done = site.run("keys", command, "-sCRtE0SAOpYpI499pZx1HPNWSmPCC9LNbZbYiK5Fbk")
    assert (done.code, done.out) == (1, "")
    assert "there is no key -sCRtE0SAOpYpI499pZx1HPNWSmPCC9LNbZbYiK5Fbk in" in done.err


def test_unknown_algorithm(site: Site) -> None:
    """An algorithm without keys is refused with a sentence; exit code 1."""
    done = site.run("keys", "generate", "HS256")
    assert (done.code, done.out) == (1, "")
    offered = ", ".join(ALGORITHMS)
    assert done.err == f"remint: 400 Bad Request: keys are made for one of {offered}\n"


def test_import(site: Site, tmp_path: Path) -> None:
    """A key from a file takes over, at once if so asked, and is never printed."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem)
    kid = site.ok("keys", "import", str(file)).strip()
    assert _keys(site)[kid][1] == "next"
    assert site.ok("keys", "import", str(file), "--now").strip() == kid
    assert _keys(site)[kid][:2] == ["ES256", "active"]


def test_import_for_an_algorithm(site: Site, tmp_path: Path) -> None:
    """An RSA key is for the algorithm that the command names, which must be one of its kind."""
    file = tmp_path / "key.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    done = site.run("keys", "import", str(file), "--algorithm", "ES384")
    assert (done.code, done.out) == (1, "")
    assert "this key signs with RS256" in done.err
    kid = site.ok("keys", "import", str(file), "--algorithm", "PS512").strip()
    assert _keys(site)[kid][:2] == ["PS512", "active"]


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
