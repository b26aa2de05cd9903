"""The writer against libxml2's canonicaliser, over every text that XML must escape."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import InvalidRequest
from handlers.saml2.signature import signature
from tests.handlers.assertions import NS, canonical, issued, parsed, signxml_verified, xml
from tests.handlers.builders import signer
from tests.handlers.saml2_judges import encryption, libxmlsec_decrypted

AWKWARD = "&<>\"'\r\n\t ]\x7f\x85\xa0\u2028\ufeff\ufffd\ud7ff\ue000é中\U0001f600\U0010ffff"
HELD = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"
) | st.sampled_from(AWKWARD)
TEXT = st.text(HELD, max_size=40)
WORD = st.text(HELD, min_size=1, max_size=20)
NAME = WORD.filter(lambda name: "|" not in name)
CLAIMS = st.dictionaries(NAME, st.lists(TEXT, max_size=3).map(tuple), max_size=3)


@settings(deadline=None)
@given(
    claims=CLAIMS,
    formatted=st.tuples(NAME, NAME),
    subject=WORD,
    issuer=WORD,
    audience=WORD,
    recipient=TEXT,
    name_id_format=TEXT,
)
async def test_what_is_written_is_canonical(
    claims: dict[str, tuple[str, ...]],
    formatted: tuple[str, str],
    subject: str,
    issuer: str,
    audience: str,
    recipient: str,
    name_id_format: str,
) -> None:
    """Whatever the texts, the bytes are their own exclusive C14N, and say the texts again."""
    name_format, name = formatted
    token = await issued(
        "ES256",
        claims={**claims, f"{name_format}|{name}": ("x",)},
        subject={"name": subject},
        issuer=issuer,
        audience=audience,
        recipient=recipient,
        name_id_format=name_id_format,
    )
    written = xml(token)
    assert canonical(written) == written
    assert token.digest == hashlib.sha256(written).digest()
    signxml_verified(written, "ES256")
    root = parsed(token)
    assert root.findtext("saml:Issuer", namespaces=NS) == issuer
    assert root.findtext("saml:Subject/saml:NameID", namespaces=NS) == subject
    stated = [
        (each.get("NameFormat"), each.get("Name"), tuple(value.text or "" for value in each))
        for each in root.iterfind("saml:AttributeStatement/saml:Attribute", NS)
    ]
    kept = [(None, key, values) for key, values in claims.items() if values]
    assert stated == [*kept, (name_format, name, ("x",))]


@settings(deadline=None, max_examples=50)
@given(claims=CLAIMS, subject=WORD, whole=st.booleans())
async def test_what_is_encrypted_says_the_same(
    claims: dict[str, tuple[str, ...]], subject: str, whole: bool
) -> None:
    """Whatever the texts, they come out of the cipher text as they went in."""
    wanted = encryption("assertion") if whole else encryption("attributes", "name_id")
    token = await issued("ES256", claims=claims, subject={"name": subject}, encryption=wanted)
    assert whole or canonical(xml(token)) == xml(token)
    root = libxmlsec_decrypted(xml(token))
    assert [found.text for found in root.iterfind(".//saml:NameID", NS)] == [subject]
    stated = [
        (each.get("Name"), tuple(value.text or "" for value in each))
        for each in root.iterfind(".//saml:Attribute", NS)
    ]
    assert stated == [(key, values) for key, values in claims.items() if values]


@settings(deadline=None)
@given(character=st.characters(categories=["Cc", "Cs"]) | st.sampled_from("\ufffe\uffff"))
async def test_character_is_written_or_refused(character: str) -> None:
    """A control or half character comes out as it went in, or is refused; never anything else."""
    value = f"a{character}b"
    try:
        token = await issued(None, claims={"mail": (value,)})
    except InvalidRequest:
        assert character not in "\t\n\r"
        assert not "\x7f" <= character <= "\x9f"
        return
    assert canonical(xml(token)) == xml(token)
    assert parsed(token).findtext(".//saml:AttributeValue", namespaces=NS) == value


@pytest.mark.parametrize("certificate", [b"\x00" * 10, b""])
async def test_signature_without_certificate_has_no_empty_key_info(certificate: bytes) -> None:
    """KeyInfo shows a certificate where there is one and is left out where there is none."""

    class Bare:
        kid, algorithm, public_jwk = "k", "ES256", None

        def __init__(self) -> None:
            self.certificate = certificate or None

        async def sign(self, data: bytes) -> bytes:
            return await signer("ES256").sign(data)

    made = await signature(b"<a></a>", "s2", Bare())
    assert ("KeyInfo" in made) == bool(certificate)
