"""X509 in: every verdict on the path from a client's certificate to an anchor of the realm."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.http.presenting import ACCOUNT, INSTANCE, NOT_TRUSTED, ask, claims_of, instance
from tests.support.door import (
    ID_TOKEN,
    Answer,
    Door,
)
from tests.support.pki import (
    CLIENT,
    HEADER,
    INPUT,
    SERVER,
    Holder,
    accept,
    alternative,
    dn,
    key_usage,
    root,
    weak_key,
)


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


@pytest.fixture
async def ready(door: Door, anchor: Holder) -> Door:
    """A realm with one authority, and an instance that takes its clients."""
    await door.publish(instance())
    await accept(door, anchor)
    return door


def _chained(anchor: Holder, *above: dict[str, Any], **leaf: Any) -> tuple[Holder, list[Holder]]:
    """A client's certificate under intermediates, made from the anchor downwards."""
    issuer = anchor
    chain: list[Holder] = []
    for number, changes in enumerate(above):
        name = f"Intermediate {number}"
        issuer = issuer.issue(name, **{"authority": True, "usage": None, **changes})
        chain.insert(0, issuer)
    return issuer.issue(leaf.pop("subject", "alice"), **leaf), chain


def _constrained(*permitted: x509.GeneralName, critical: bool = True) -> dict[str, Any]:
    return {"extensions": [(x509.NameConstraints(list(permitted), None), critical)]}


_EMAIL = alternative(x509.RFC822Name("alice@example.com"))
_UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)

GOOD: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "direct": ([], {}),
    "one intermediate": ([{"path_length": 0}], {}),
    "two intermediates": ([{"path_length": 1}, {}], {}),
    "several usages": (
        [],
        {
            "usage": x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            )
        },
    ),
    "name within constraints": (
        [_constrained(x509.RFC822Name("example.com"))],
        {"extensions": [_EMAIL]},
    ),
    "intermediate for clients": ([{"extensions": [(CLIENT, False)]}], {}),
    "P-384": ([], {"key": ec.generate_private_key(ec.SECP384R1())}),
}


@pytest.mark.parametrize("case", GOOD)
async def test_good_paths(door: Door, anchor: Holder, case: str) -> None:
    """Each certificate of a hierarchy in order is accepted."""
    above, leaf = GOOD[case]
    given, chain = _chained(anchor, *above, **leaf)
    await door.publish(instance())
    await accept(door, anchor)
    answer = await _with(door, given, *chain)
    assert answer.status == 200, answer.text


async def test_intermediates_of_the_realm(door: Door, anchor: Holder) -> None:
    """Intermediates that the realm's document has need not come along."""
    given, chain = _chained(anchor, {}, {})
    await door.publish(instance())
    await accept(door, anchor, intermediates="".join(each.pem for each in chain))
    assert (await ask(door, given)).status == 200


BAD: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "expired": ([], {"ends": -1}, "has expired"),
    "not yet valid": ([], {"begins": 600}, "not valid yet"),
    "expired intermediate": ([{"ends": -1}], {}, NOT_TRUSTED),
    "path too long": ([{"path_length": 0}, {}], {}, NOT_TRUSTED),
    "issuer that is no authority": ([{"authority": False}], {}, NOT_TRUSTED),
    "issuer without keyCertSign": (
        [{"extensions": [(key_usage("crl_sign"), True)]}],
        {},
        "may not sign certificates",
    ),
    "issuer for servers": ([{"extensions": [(SERVER, False)]}], {}, "not for client certificates"),
    "for servers only": ([], {"usage": SERVER}, "not for client authentication"),
    "for nothing in particular": ([], {"usage": None}, "not for client authentication"),
    "not for signatures": (
        [],
        {"extensions": [(key_usage("key_encipherment"), True)]},
        "not for signatures",
    ),
    "an authority itself": ([], {"authority": True}, "of an authority"),
    "name outside constraints": (
        [_constrained(x509.RFC822Name("example.org"))],
        {"extensions": [_EMAIL]},
        NOT_TRUSTED,
    ),
    "address in the subject outside constraints": (
        [_constrained(x509.RFC822Name("example.org"))],
        {"subject": dn("alice", EMAIL_ADDRESS="alice@example.com")},
        "that its path forbids",
    ),
    "constraints of directory names": (
        [_constrained(x509.DirectoryName(dn("x")), critical=False)],
        {},
        "not supported",
    ),
    "unknown critical extension": ([], {"extensions": [_UNKNOWN]}, NOT_TRUSTED),
    "unknown critical extension above": ([{"extensions": [_UNKNOWN]}], {}, NOT_TRUSTED),
    "weak key": ([], {"key": weak_key()}, "too weak"),
    "weak key above": ([{"key": weak_key()}], {}, NOT_TRUSTED),
    "strange curve": ([], {"key": ec.generate_private_key(ec.SECP256K1())}, "too weak"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_paths(door: Door, anchor: Holder, case: str) -> None:
    """Each certificate that breaks a rule is refused with 401 and a sentence that says which."""
    above, leaf, sentence = BAD[case]
    given, chain = _chained(anchor, *above, **leaf)
    await door.publish(instance())
    await accept(door, anchor)
    answer = await _with(door, given, *chain)
    assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")
    assert sentence in answer.body["message"], answer.text


async def _with(door: Door, given: Holder, *chain: Holder) -> Answer:
    """The chain comes along in the header."""
    value = "".join(each.pem for each in (given, *chain)).replace("\n", " ")
    return await door.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers={HEADER: value})


async def test_strangers(ready: Door) -> None:
    """What hangs from another root, or from itself, is refused in the same words; the audit says
    more."""
    other = root()
    for given in (other.issue("alice"), root("alice", authority=False, usage=CLIENT), other):
        answer = await ask(ready, given)
        assert (answer.status, answer.body["message"]) == (401, NOT_TRUSTED)
        assert ready.audit()[-1]["reason"]


def made_by_openssl(folder: Path, anchor: Holder, *how: str, key: Sequence[str]) -> str:
    """Base64 of a client's certificate that our own library would not make."""
    authority, authority_key = anchor.files(folder, "ca")
    extensions = folder / "client.ext"
    extensions.write_text("extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n")
    commands = [
        ["req", "-newkey", *key, "-nodes", "-keyout", "c.key", "-subj", "/CN=c", "-out", "c.csr"],
        [
            *("x509", "-req", "-in", "c.csr", "-CA", str(authority), "-CAkey", str(authority_key)),
            *("-CAcreateserial", "-extfile", str(extensions), "-outform", "DER", "-out", "c.der"),
            *how,
        ],
    ]
    for command in commands:
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    return base64.b64encode((folder / "c.der").read_bytes()).decode()


P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
EXPLICIT = (*P256, "-pkeyopt", "ec_param_enc:explicit")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes what no library does")
@pytest.mark.parametrize(
    ("how", "key", "status"),
    [((), P256, 200), (("-sha1",), P256, 401), ((), EXPLICIT, 401)],
    ids=["plain", "signed with SHA-1", "explicit curve parameters"],
)
async def test_made_by_openssl(
    ready: Door, anchor: Holder, tmp_path: Path, how: Sequence[str], key: Sequence[str], status: int
) -> None:
    """A SHA-1 signature and a curve of the certificate's own making (CVE-2020-0601) are refused."""
    value = made_by_openssl(tmp_path, anchor, *how, key=key)
    answer = await ready.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers={HEADER: value})
    assert answer.status == status, answer.text


async def test_any_usage(door: Door, anchor: Holder) -> None:
    """An authority may let certificates of any extended usage in."""
    await door.publish(instance())
    await accept(door, anchor, usage="any")
    for usage in (SERVER, None):
        assert (await ask(door, anchor.issue("alice", usage=usage))).status == 200


async def test_chain_from_the_header(ready: Door, anchor: Holder) -> None:
    """Intermediates that come with the certificate complete its path, and are believed for no more
    than that."""
    given, chain = _chained(anchor, {})
    assert (await ask(ready, given)).status == 401
    assert (await _with(ready, given, *chain)).status == 200
    other = root("Other Root")
    given, chain = _chained(other, {})
    assert (await _with(ready, given, *chain, other)).status == 401


async def test_two_authorities(ready: Door, anchor: Holder) -> None:
    """Each authority's clients are named after it, and by its rule."""
    other = root("Other Root")
    await accept(ready, other, name="other", subject="cn")
    first = await claims_of(ready, await ask(ready, anchor.issue("alice")))
    second = await claims_of(ready, await ask(ready, other.issue("alice")))
    assert (first["sub"], second["sub"]) == (ACCOUNT, "x509://other#alice")
