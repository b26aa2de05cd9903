"""OPAQUE: the token type to copy."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest

from broker.errors import InvalidRequest, InvalidToken
from broker.model import SAML2, TokenRecord
from handlers.opaque.provider import MAX_OPAQUE_TOKEN_LENGTH, OPAQUE, OpaqueProvider
from handlers.opaque.validator import OpaqueValidator
from tests.handlers.builders import (
    ENTROPY,
    NOW,
    Issuers,
    Tokens,
    Users,
    instance,
    order,
    received,
    user,
)

PROVIDER = OpaqueProvider()
OWNER = user()


async def issued() -> tuple[str, TokenRecord]:
    """A token, and the record that the pipeline keeps of it."""
    made = await PROVIDER.issue(order(PROVIDER, None, to=instance()))
    record = TokenRecord(
        made.token_id, made.alias, made.digest, OPAQUE, "inst", "/", "demo", NOW, NOW + 600
    )
    return made.body["issued_token"], record


async def test_token_is_its_entropy_and_known_by_its_hash() -> None:
    """The token carries all the entropy of the claim, and its record only hashes of it."""
    token, record = await issued()
    assert urlsafe_b64decode(token + "=") == ENTROPY
    assert record.digest == hashlib.sha256(token.encode()).digest()
    assert record.token_id == record.alias == record.digest.hex()[:40]
    assert PROVIDER.token_id(ENTROPY) == record.token_id


def test_record_is_always_kept_and_nothing_is_signed() -> None:
    """Whatever the instance says, an OPAQUE token is persisted, unsigned and without claims."""
    to = instance(persist_issued_tokens=False)
    assert PROVIDER.persists(to)
    assert PROVIDER.signing_key(to) is None
    assert PROVIDER.claim_map(to) == {}
    assert PROVIDER.lifetime_seconds(to) == 600


async def test_good_token_gives_its_principal_once() -> None:
    """A known token speaks for its principal until it expires, and may be spent once."""
    token, record = await issued()
    validator = OpaqueValidator(Tokens(record), Users(OWNER), Issuers())
    credential = validator.parse(received(OPAQUE, opaque_token=token))
    found = await validator.validate(credential, instance(), NOW + 599)
    assert (found.name, found.realm, found.method) == ("demo", "/", OPAQUE)
    assert found.one_time_token == found.parent == record.token_id
    assert found.not_after == NOW + 600
    assert found.authenticated_at == NOW


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": NOW},
        {"realm": "/other"},
        {"type": SAML2},
        {"digest": bytes(32)},
        {"alias": "elsewhere"},
    ],
    ids=["expired", "other realm", "other type", "other digest", "unknown"],
)
async def test_token_that_is_not_good_is_refused_in_the_same_words(
    changes: dict[str, object],
) -> None:
    """Expiry, realm, type, digest and presence must each hold, and the refusal tells none apart."""
    token, record = await issued()
    record = replace(record, **changes)  # type: ignore[arg-type]
    validator = OpaqueValidator(Tokens(record), Users(OWNER), Issuers())
    credential = validator.parse(received(OPAQUE, opaque_token=token))
    with pytest.raises(InvalidToken) as refusal:
        await validator.validate(credential, instance(), NOW)
    assert refusal.value.sentence == "this token is not known here, or it has ended"


@pytest.mark.parametrize(
    "value", [None, "", 7, ["x"], "x" * (MAX_OPAQUE_TOKEN_LENGTH + 1), "\ud800"]
)
def test_member_must_be_a_token(value: object) -> None:
    """What cannot be a token is refused by name, at validation as at validate and cancel."""
    with pytest.raises(InvalidRequest, match="opaque_token"):
        OpaqueValidator(Tokens(), Users(), Issuers()).parse(received(OPAQUE, opaque_token=value))
    with pytest.raises(InvalidRequest, match="opaque_token"):
        PROVIDER.name({"opaque_token": value})


async def test_presented_token_has_the_name_it_was_issued_under() -> None:
    """Validate and cancel find the record by the token alone."""
    token, record = await issued()
    name = PROVIDER.name({"opaque_token": token})
    assert (name.alias, name.digest) == (record.alias, record.digest)


@pytest.mark.parametrize("users", [Users(), Users(user(active=False))], ids=["gone", "inactive"])
async def test_token_of_nobody_is_refused(users: Users) -> None:
    """A token whose user was removed or made inactive proves nothing any more."""
    token, record = await issued()
    validator = OpaqueValidator(Tokens(record), users, Issuers())
    credential = validator.parse(received(OPAQUE, opaque_token=token))
    with pytest.raises(InvalidToken):
        await validator.validate(credential, instance(), NOW)
