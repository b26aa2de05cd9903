"""Assertions that are shown to us, hostile ones above all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.errors import InvalidRequest
from handlers.saml2 import reader
from handlers.saml2.names import SAML, XENC
from tests.handlers.assertions import PROVIDER, issued, xml

OPEN = f'<saml:Assertion xmlns:saml="{SAML}" ID="s2a"'


def plain(inside: str = "", attributes: str = "") -> str:
    return f"{OPEN} {attributes}>{inside}</saml:Assertion>"


def encrypted(inside: str) -> str:
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}" xmlns:xenc="{XENC}">'
        f"{inside}</saml:EncryptedAssertion>"
    )


def cipher(value: str) -> str:
    return (
        "<xenc:EncryptedData><xenc:CipherData>"
        f"<xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    )


def name(document: Any) -> Any:
    return PROVIDER.name({"saml2_token": document})


def chain(length: int) -> str:
    return "<a>" * length + "</a>" * length


BILLION_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
    + plain("&l9;")
)
ATTACKS = {
    "DOCTYPE": ("<!DOCTYPE saml:Assertion>" + plain(), "DOCTYPE"),
    "DOCTYPE late": (f"<?xml version='1.0'?>\n<!DOCTYPE a [ ]>{plain()}", "DOCTYPE"),
    "billion laughs": (BILLION_LAUGHS, "DOCTYPE"),
    "external entity": (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{plain("&x;")}',
        "DOCTYPE",
    ),
    "external DTD": (f'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">{plain()}', "DOCTYPE"),
    "parameter entity": (
        f'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/">%x;]>{plain()}',
        "DOCTYPE",
    ),
    "undeclared entity": (plain("&x;"), "well-formed"),
    "comment in NameID": (
        plain("<saml:Subject><saml:NameID>admin<!---->.evil</saml:NameID></saml:Subject>"),
        "comment",
    ),
    "comment before": ("<!-- x -->" + plain(), "beside its root"),
    "comment after": (plain() + "<!-- x -->", "beside its root"),
    "processing instruction": (plain("<?x y?>"), "processing instruction"),
    "instruction before": ("<?x y?>" + plain(), "beside its root"),
    "deep": (plain(chain(reader.MAX_DEPTH)), "deeper than"),
    "very deep": (plain(chain(20_000)), "well-formed|deeper than"),
    "many elements": (plain("<a/>" * reader.MAX_ELEMENTS), "more than"),
    "many attributes": (
        plain(attributes=" ".join(f'a{n}=""' for n in range(reader.MAX_ATTRIBUTES))),
        "attributes",
    ),
    "long namespace": (
        plain(f'<b xmlns:x="urn:{"u" * 100_000}">{"<x:c/>" * 9000}</b>'),
        "a name in the assertion",
    ),
    "long attribute namespace": (
        plain(f'<b xmlns:x="urn:{"u" * reader.MAX_NAME_LENGTH}" x:y=""/>'),
        "a name in the assertion",
    ),
    "relative namespace": (plain('<b xmlns="relative/uri"/>'), "canonical form"),
    "huge": (plain("x" * reader.MAX_ASSERTION_LENGTH), "longer than"),
    "empty": ("", "well-formed"),
    "blank": (" \n ", "well-formed"),
    "no XML": ("eyJhbGciOiJub25lIn0..", "well-formed"),
    "cut off": (plain()[:-5], "well-formed"),
    "two roots": (plain() + plain(), "well-formed"),
    "trailing text": (plain() + "x", "well-formed"),
    "undeclared prefix": ('<saml:Assertion ID="x"/>', "well-formed|namespace"),
    "twice the attribute": (plain(attributes='ID="s2b"'), "well-formed"),
    "NUL": (plain("\x00"), "well-formed"),
    "half a character": (plain("\ud800"), "surrogate"),
    "wrong encoding word": (f'<?xml version="1.0" encoding="nonsense"?>{plain("é")}\x00', "formed"),
    "wrong root": (f'<saml:Issuer xmlns:saml="{SAML}" ID="x"/>', "Issuer"),
    "wrong case": (f'<saml:assertion xmlns:saml="{SAML}" ID="x"/>', "assertion"),
    "response": (
        f'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="x">{plain()}</p:Response>',
        "Response",
    ),
    "SAML 1.1": (
        '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" ID="x"/>',
        "namespace",
    ),
    "no namespace": ('<Assertion ID="x"/>', "Assertion is not in"),
    "no ID": (f'<saml:Assertion xmlns:saml="{SAML}"/>', "no ID"),
    "empty ID": (f'<saml:Assertion xmlns:saml="{SAML}" ID=""/>', "no ID"),
    "ID of another case": (f'<saml:Assertion xmlns:saml="{SAML}" Id="x"/>', "no ID"),
    "encrypted, empty": (encrypted(""), "CipherValue"),
    "encrypted, no cipher data": (encrypted("<xenc:EncryptedData/>"), "CipherValue"),
    "encrypted, no cipher value": (
        encrypted("<xenc:EncryptedData><xenc:CipherData/></xenc:EncryptedData>"),
        "CipherValue",
    ),
    "encrypted, blank": (encrypted(cipher(" \n\t")), "empty"),
    "encrypted, twice": (encrypted(cipher("QUJD") * 2), "CipherValue"),
    "encrypted, element inside": (encrypted(cipher("QUJD<xenc:x/>RA==")), "CipherValue"),
    "encrypted, wrong namespace": (
        encrypted(cipher("QUJD").replace("xenc:", "saml:")),
        "CipherValue",
    ),
}


@pytest.mark.parametrize(("document", "reason"), ATTACKS.values(), ids=ATTACKS.keys())
def test_document_is_refused_for_its_reason(document: str, reason: str) -> None:
    """Every hostile or broken document is a client's mistake, refused for what is wrong with it."""
    with pytest.raises(InvalidRequest, match=reason):
        name(document)


@pytest.mark.parametrize("value", [None, 5, ["x"], {}, b"<a/>", True])
def test_member_must_be_a_string(value: object) -> None:
    """What is no string is refused by the member's name."""
    with pytest.raises(InvalidRequest, match="saml2_token"):
        name(value)


def test_limits_leave_room_for_what_they_allow() -> None:
    """A document right at each limit is read."""
    assert name(plain(chain(reader.MAX_DEPTH - 1))).alias == "s2a"
    assert name(plain("<a/>" * (reader.MAX_ELEMENTS - 1))).alias == "s2a"
    most = " ".join(f'a{n}=""' for n in range(reader.MAX_ATTRIBUTES - 1))
    assert name(plain(attributes=most)).alias == "s2a"
    spare = reader.MAX_ASSERTION_LENGTH - len(plain())
    assert name(plain("x" * spare)).alias == "s2a"


async def test_assertion_is_known_however_it_is_written() -> None:
    """White space in tags, a declaration, and quotes are no part of the canonical form."""
    token = await issued("ES256", claims={"mail": ("é",)})
    text = xml(token).decode()
    rewritten = text.replace(' Version="2.0"', "\n Version='2.0' ").replace("é", "&#xE9;")
    for variant in (
        text,
        '<?xml version="1.0" encoding="UTF-16"?>\n' + rewritten,
        rewritten + "\n",
    ):
        found = name(variant)
        assert (found.alias, found.digest) == (token.alias, token.digest)


@pytest.mark.parametrize(
    ("before", "after"), [(">demo<", ">root<"), ("</saml:Issuer>", " </saml:Issuer>")]
)
async def test_changed_assertion_keeps_its_alias_and_loses_its_digest(
    before: str, after: str
) -> None:
    """A forgery under a known ID has another digest, which is what validate compares."""
    token = await issued("ES256")
    forged = xml(token).decode().replace(before, after)
    found = name(forged)
    assert found.alias == token.alias
    assert found.digest != token.digest


def test_encrypted_assertion_is_named_by_its_cipher_text() -> None:
    """The alias and digest are hashes of the cipher value, however it is folded."""
    for value in ("QUJDREVG", "QUJD\r\n  REVG\t"):
        found = name(encrypted(cipher(value)))
        sha1 = hashlib.sha1(b"QUJDREVG", usedforsecurity=False)
        assert found.alias == sha1.hexdigest().upper()
        assert found.digest == hashlib.sha256(b"QUJDREVG").digest()


MEMORY = """
import secrets
from broker.errors import InvalidRequest
from handlers.saml2 import reader

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def show():
    names = "".join(f"<a{secrets.token_hex(8)}/>" for _ in range(5000))
    try:
        reader.name(f"<r>{names}</r>")
    except InvalidRequest:
        pass

for _ in range(20):
    show()
before = resident()
for _ in range(150):
    show()
print(resident() - before)
"""


def test_names_of_strangers_do_not_fill_the_memory() -> None:
    """libxml2 remembers every name it saw; documents full of new names must not add up."""
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        text=True,
        timeout=120,
    )
    assert int(ran.stdout) < 10 * 2**20
