"""The options of SAML2 output."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from broker.errors import InvalidRequest
from broker.model import SAML2, Confirmation
from handlers.saml2.confirmation import MAX_CERTIFICATE_LENGTH
from tests.handlers.assertions import PROVIDER, pem
from tests.handlers.builders import instance, requested, signer

DER = signer("RS256").certificate or b""
OF_DER = b64encode(DER).decode()
OF_PEM = b64encode(pem(signer("RS256")).encode()).decode()
EXPLAINED = b64encode(
    f"Bag Attributes\nsubject=CN = holder\n{pem(signer('RS256'))}".encode()
).decode()
FOLDED = "\r\n".join(OF_DER[at : at + 76] for at in range(0, len(OF_DER), 76))


def parse(**options: Any) -> Confirmation:
    return PROVIDER.parse(requested(SAML2, **options), instance())


@pytest.mark.parametrize("method", ["BEARER", "SENDER_VOUCHES"])
def test_method_without_certificate(method: str) -> None:
    """Bearer and sender-vouches need no proof, and null is none."""
    assert parse(subject_confirmation=method) == Confirmation(method)
    assert parse(subject_confirmation=method, proof_token_state=None) == Confirmation(method)


@pytest.mark.parametrize(
    "encoded", [OF_DER, OF_PEM, EXPLAINED, FOLDED], ids=["DER", "PEM", "explained", "folded"]
)
def test_holder_of_key_takes_der_and_pem(encoded: str) -> None:
    """The certificate comes as base64 of either form, folded or not, with or without
    the text that tools write before a PEM; it is kept as DER."""
    proof = {"base64EncodedCertificate": encoded}
    assert parse(subject_confirmation="HOLDER_OF_KEY", proof_token_state=proof) == Confirmation(
        "HOLDER_OF_KEY", DER
    )


@pytest.mark.parametrize("method", [None, "", "bearer", "URN", 5, True, ["BEARER"], {}])
def test_method_must_be_one_of_three(method: object) -> None:
    """A missing, unknown or non-string confirmation is a client's mistake."""
    with pytest.raises(InvalidRequest, match="subject_confirmation"):
        parse(subject_confirmation=method)


def test_method_must_be_there() -> None:
    """No confirmation method is not the default of one."""
    with pytest.raises(InvalidRequest, match="subject_confirmation"):
        parse()


@pytest.mark.parametrize("method", ["BEARER", "SENDER_VOUCHES", "HOLDER_OF_KEY"])
@pytest.mark.parametrize(
    "proof", [{}, {"base64EncodedCertificate": None}, {"base64EncodedCertificate": 5}, "x", [], 0]
)
def test_proof_must_hold_a_certificate_text(method: str, proof: object) -> None:
    """A proof that is no object, or lacks its one member, is refused whatever the method."""
    with pytest.raises(InvalidRequest, match="proof_token_state"):
        parse(subject_confirmation=method, proof_token_state=proof)


def test_holder_of_key_needs_a_proof() -> None:
    """Without a certificate nobody could be the holder of its key."""
    with pytest.raises(InvalidRequest, match="proof_token_state"):
        parse(subject_confirmation="HOLDER_OF_KEY")


BROKEN = [
    "",
    "not base64!",
    "é",
    "\ud800",
    b64encode(b"no certificate").decode(),
    b64encode(DER[:-10]).decode(),
    b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").decode(),
    b64encode(b"-----BEGIN NOTHING").decode(),
    "A" * (MAX_CERTIFICATE_LENGTH + 1),
]


@pytest.mark.parametrize("encoded", BROKEN)
def test_broken_certificate_is_refused_where_it_is_used(encoded: str) -> None:
    """Holder-of-key refuses what is no certificate; the methods that use none do not look."""
    proof = {"base64EncodedCertificate": encoded}
    with pytest.raises(InvalidRequest, match="base64EncodedCertificate"):
        parse(subject_confirmation="HOLDER_OF_KEY", proof_token_state=proof)
    for method in ("BEARER", "SENDER_VOUCHES"):
        found = parse(subject_confirmation=method, proof_token_state=proof)
        assert found == Confirmation(method)
