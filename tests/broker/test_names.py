"""Names of requests: the same in every version, or a retry after an upgrade is another request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker import idempotency
from broker.model import (
    OPENIDCONNECT,
    USERNAME,
    X509,
    PresentedCertificate,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TranslationRequest,
)

KEY = b"k" * 32
REQUEST = TranslationRequest(
    instance="realm/sts",
    subject_token=ReceivedToken(USERNAME, {}, b'{"token_type":"USERNAME"}'),
    requested_token=RequestedToken(OPENIDCONNECT, {}, b'{"token_type":"OPENIDCONNECT"}'),
    requester=Requester("amqp", id="alice"),
    request_id="r-1",
)
CERTIFICATE = ReceivedToken(X509, {}, b"{}", PresentedCertificate(b"leaf"), {"a": Secret("b")})
FINGERPRINT = "9adc64c371d818c426e0ce4fde5bb20b57fd65e3021c29b60936c07a464bb91f"

WRITTEN = [
    (
        REQUEST,
        "requester:amqp:alice",
        FINGERPRINT,
        "f46fe532bcca4da66416f319984680f5f3b881e4dce28064f2516f7ef8924e79",
    ),
    (
        replace(REQUEST, requester=Requester("http")),
        "token:b2c91e4399f52af64e38f1fe357b8124b64c8e500a8f2b9085bfaa7630a90f67",
        "8218ac60f1467a0cf64d6bc6a7003ec095a95af7e7db1f9c28bc75fc7e417d0a",
        "8c485b659213672a7e51b4968adf0e7ce07a9df9e1c76a69e917e6236a0c2389",
    ),
    (
        replace(REQUEST, requester=Requester("http", "k1", by_key=True)),
        "requester:k1",
        "f4500fbdedcf0543c03b18b6b85a92223ec0ca40a5627aaa07c1ea6d265d1aa6",
        "a917fc22fe293fb0298c59ff4224e60adde0571c64464160dda9fddcb6a57acd",
    ),
    (
        replace(REQUEST, subject_token=CERTIFICATE),
        "requester:amqp:alice",
        "5e1336722b8e58558678a23c3d44fadb0d9d68f063a1b3ac767afb3f674a50c2",
        "f9fd444090e5bbf15169462afaabdc7338a3914dee64131e431c5dbdcc9dc4bd",
    ),
]
"""As versions before this test wrote them."""


@pytest.mark.parametrize(("request_", "scope", "fingerprint", "entropy"), WRITTEN)
def test_a_request_has_the_name_it_always_had(
    request_: TranslationRequest, scope: str, fingerprint: str, entropy: str
) -> None:
    """Scope, fingerprint and what the token is made from are those of earlier versions."""
    found = idempotency.named(request_, KEY)
    assert found is not None
    assert (found.scope, found.request_id) == (scope, "r-1")
    assert (found.fingerprint.hex(), found.entropy.hex()) == (fingerprint, entropy)
    assert idempotency.fingerprint(request_, KEY) == found.fingerprint
    assert entropy not in repr(found)


def test_a_part_has_the_name_it_always_had() -> None:
    """So has a part of a batch, whose names are made together."""
    scope = idempotency.part_scope("requester:amqp:alice")
    names = idempotency.Names(scope, REQUEST.instance, REQUEST.requester.id, KEY)
    found = names.named(idempotency.part_id(7, "r-1"), REQUEST)
    assert (found.scope, found.request_id) == ("batch:requester:amqp:alice", "7:r-1")
    assert found.fingerprint.hex() == FINGERPRINT
    made_from = "c1639706a1a2d671498b183ca62804c812c300b436e924cb7d98cee5dc2e232e"
    assert found.entropy.hex() == made_from


def test_a_request_without_an_id_has_no_name() -> None:
    """The ledger does not know it."""
    assert idempotency.named(replace(REQUEST, request_id=None), KEY) is None
