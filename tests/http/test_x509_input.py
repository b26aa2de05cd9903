"""X509 in, at the front door: what comes out, who it speaks for, and under which key."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography import x509

from tests.http.presenting import ACCOUNT, INSTANCE, OPAQUE, ask, claims_of, instance
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    ISSUER,
    REALM,
    Door,
    user_input,
)
from tests.support.pki import (
    INPUT,
    NAME,
    Holder,
    accept,
    alternative,
    dn,
    root,
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


# -- what comes out ------------------------------------------------------------------------------


async def test_to_id_token(ready: Door, anchor: Holder) -> None:
    """A client certificate becomes an ID token for authority and subject, which ends with it."""
    alice = anchor.issue("alice", ends=120)
    found = await claims_of(ready, await ask(ready, alice))
    assert (found["iss"], found["sub"]) == (ISSUER, ACCOUNT)
    assert found["exp"] == int(alice.certificate.not_valid_after_utc.timestamp())


async def test_to_assertion(ready: Door, anchor: Holder) -> None:
    """As an assertion it names the context class X509, and the record names the foreign account."""
    answer = await ask(ready, anchor.issue("alice"), ASSERTION)
    assert answer.status == 200, answer.text
    written = answer.body["issued_token"]
    assert f">{ACCOUNT}</saml:NameID>" in written
    assert ">urn:oasis:names:tc:SAML:2.0:ac:classes:X509<" in written
    [record] = await ready.tokens()
    assert record.principal == ACCOUNT


async def test_holder_of_key(ready: Door, anchor: Holder) -> None:
    """An assertion can be bound to the certificate that was presented."""
    alice = anchor.issue("alice")
    proof = {"base64EncodedCertificate": alice.base64}
    wanted = {**ASSERTION, "subject_confirmation": "HOLDER_OF_KEY", "proof_token_state": proof}
    answer = await ask(ready, alice, wanted)
    assert answer.status == 200, answer.text
    assert alice.base64 in answer.body["issued_token"].replace("\n", "")


async def test_to_reference_token_and_on(ready: Door, anchor: Holder) -> None:
    """A reference token for a certificate's subject is for that one, as long as the realm has the
    authority."""
    first = (await ask(ready, anchor.issue("alice"), OPAQUE)).body["issued_token"]
    second = (await ask(ready, anchor.issue("alice"), OPAQUE)).body["issued_token"]
    shown = {"token_type": "OPAQUE", "opaque_token": first}
    found = await claims_of(ready, await ready.translate(shown, ID_TOKEN, instance=INSTANCE))
    assert found["sub"] == ACCOUNT
    await ready.broker.components.authorities.delete("/", NAME)
    shown = {"token_type": "OPAQUE", "opaque_token": second}
    assert (await ready.translate(shown, ID_TOKEN, instance=INSTANCE)).status == 401


async def test_batch(ready: Door, anchor: Holder) -> None:
    """The parts of a batch share the certificate; one of another type is judged by itself."""
    parts = [
        {"input_token_state": given, "output_token_state": ID_TOKEN}
        for given in (INPUT, user_input("wrong"), INPUT)
    ]
    path = f"/rest-sts/{INSTANCE}?_action=translate_batch"
    head = anchor.issue("alice").head()
    answer = await ready.request("POST", path, body={"requests": parts}, headers=head)
    codes = [part.get("code", 200) for part in answer.body["results"]]
    assert codes == [200, 401, 200]


# -- who it speaks for ---------------------------------------------------------------------------

UPN = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x0bal@corp.com")
NAMED = dn("alice", USER_ID="u1", EMAIL_ADDRESS="al@x.org", SERIAL_NUMBER="77")
ALTERNATIVE = alternative(
    x509.RFC822Name("alice@example.com"),
    x509.UniformResourceIdentifier("spiffe://example.com/alice"),
    UPN,
)


@pytest.mark.parametrize(
    ("rule", "subject"),
    [
        ("dn", "2.5.4.5=77,emailAddress=al@x.org,UID=u1,CN=alice"),
        ("cn", "alice"),
        ("uid", "u1"),
        ("dn_email", "al@x.org"),
        ("serial_number", "77"),
        ("email", "alice@example.com"),
        ("upn", "al@corp.com"),
        ("uri", "spiffe://example.com/alice"),
    ],
)
async def test_subject(door: Door, anchor: Holder, rule: str, subject: str) -> None:
    """The part of the certificate that the authority's rule names says who it is."""
    await door.publish(instance())
    await accept(door, anchor, subject=rule, subject_prefix="")
    found = await claims_of(door, await ask(door, anchor.issue(NAMED, extensions=[ALTERNATIVE])))
    assert found["sub"] == subject
    assert door.audit()[-1]["principal"] == f"x509://{NAME}#{subject}"


@pytest.mark.parametrize("count", [0, 2])
async def test_subject_that_is_not_one(door: Door, anchor: Holder, count: int) -> None:
    """A certificate without the part that the rule names, or with two, speaks for nobody."""
    await door.publish(instance())
    await accept(door, anchor, subject="email")
    names = [x509.RFC822Name(f"a{number}@example.com") for number in range(count)]
    given = anchor.issue("alice", extensions=[alternative(*names)] if names else [])
    answer = await ask(door, given)
    assert answer.status == 401
    assert f"needs exactly one email, and has {count}" in answer.body["message"]


async def test_never_a_local_user(ready: Door, anchor: Holder) -> None:
    """A certificate in the name of a local user gets none of that user's profile."""
    await accept(ready, anchor, subject="cn", subject_prefix="")
    answer = await ask(ready, anchor.issue("demo"))
    found = await claims_of(ready, answer)
    assert found["sub"] == "demo"
    assert "email" not in found
    assert ready.audit()[-1]["principal"] == f"x509://{NAME}#demo"


async def test_linked_to_local_users(ready: Door, anchor: Holder) -> None:
    """With link_local_users the subject is the local user, profile and all; others are refused,
    and so is a user who is inactive."""
    await accept(ready, anchor, subject="cn", link_local_users=True)
    found = await claims_of(ready, await ask(ready, anchor.issue("demo")))
    assert (found["sub"], found["email"]) == ("demo", "demo@example.com")
    await ready.add_user("gone", active=False)
    for name in ("stranger", "gone"):
        answer = await ask(ready, anchor.issue(name))
        assert answer.status == 401
        assert "nobody who has an account here" in answer.body["message"]


async def test_claims_from_the_certificate(ready: Door, anchor: Holder) -> None:
    """What a claim map names is read from the certificate."""
    made = instance()
    assert made.oidc is not None
    wanted = {"login": "upn", "id": "uri", "nothing": "ou", "mails": "email"}
    oidc = dataclasses.replace(made.oidc, claim_map=wanted)
    await ready.publish(dataclasses.replace(made, oidc=oidc))
    answer = await ask(ready, anchor.issue(NAMED, extensions=[ALTERNATIVE]))
    found = await claims_of(ready, answer)
    assert (found["login"], found["id"]) == ("al@corp.com", "spiffe://example.com/alice")
    assert (found["mails"], "nothing" in found) == ("alice@example.com", False)


async def test_realm_without_authority(door: Door, anchor: Holder) -> None:
    """A realm trusts nobody until it is told to, whatever the realm around it trusts."""
    await door.publish(instance(), instance(realm=REALM))
    await accept(door, anchor)
    answer = await ask(door, anchor.issue("alice"), element=f"{REALM[1:]}/{INSTANCE}")
    assert (answer.status, "no certificate authority" in answer.body["message"]) == (400, True)


# -- idempotency ---------------------------------------------------------------------------------


async def test_two_certificates_under_one_key(ready: Door, anchor: Holder) -> None:
    """The same key with another certificate is a conflict; with the same one it is a retry."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    key = {"Idempotency-Key": "one"}
    first = await ask(ready, alice, **key)
    again = await ask(ready, alice, **key)
    assert (first.status, again.body) == (200, first.body)
    answer = await ask(ready, mallory, **key)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    renewed = anchor.issue("alice", key=alice.key)
    assert (await ask(ready, renewed, **key)).status == 409


async def test_two_certificates_under_one_batch_key(ready: Door, anchor: Holder) -> None:
    """The same holds of a batch."""
    part = {"input_token_state": INPUT, "output_token_state": ID_TOKEN}
    path = f"/rest-sts/{INSTANCE}?_action=translate_batch"
    statuses = []
    for name in ("alice", "mallory"):
        head = {**anchor.issue(name).head(), "Idempotency-Key": "many"}
        answer = await ready.request("POST", path, body={"requests": [part]}, headers=head)
        statuses.append(answer.status)
    assert statuses == [200, 409]
