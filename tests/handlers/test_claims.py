"""The claims mapper."""

from __future__ import annotations

import pytest

from handlers.claims import ProfileClaimsMapper
from tests.handlers.builders import Users, principal, user

PROFILE = {
    "mail": ("a@example.com", "b@example.com", "a@example.com"),
    "cn": ("Zoë",),
    "empty": (),
    "blank": ("", ""),
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cn", ("Zoë",)),
        ("mail", ("a@example.com", "b@example.com")),
        ("cn;binary", ("Wm/Dqw==",)),
        ('"staff"', ("staff",)),
        ('"cn;binary"', ("cn;binary",)),
        ("absent", None),
        ("absent;binary", None),
        ("empty", None),
        ("blank", None),
        ('""', None),
        ('"', None),
        ("CN", None),
    ],
)
async def test_value_of_a_claim_map(value: str, expected: tuple[str, ...] | None) -> None:
    """Attribute, binary and static forms give their values, each once; nothing gives no claim."""
    mapper = ProfileClaimsMapper(Users())
    claims = await mapper.map(principal(attributes=PROFILE), {"claim": value})
    assert claims.values.get("claim") == expected
    assert len(claims.values) == (expected is not None)


async def test_claims_keep_the_order_of_the_map() -> None:
    """The relying party sees claims in the order in which the instance lists them."""
    mapper = ProfileClaimsMapper(Users())
    claims = await mapper.map(principal(attributes=PROFILE), {"z": "cn", "a": "mail", "m": '"x"'})
    assert list(claims.values) == ["z", "a", "m"]


async def test_profile_is_read_when_nobody_has() -> None:
    """Without attributes the principal's own user is read, once for all claims."""
    users = Users(user(realm="/fred"), user(realm="/", attributes={"mail": ("wrong",)}))
    claims = await ProfileClaimsMapper(users).map(
        principal(realm="/fred"), {"email": "mail", "again": "mail"}
    )
    assert claims.values == {"email": ("demo@example.com",), "again": ("demo@example.com",)}
    assert users.reads == 1


async def test_missing_user_has_no_attributes() -> None:
    """A principal without a local profile gets the static claims and no others."""
    claims = await ProfileClaimsMapper(Users()).map(principal(), {"a": "mail", "b": '"x"'})
    assert claims.values == {"b": ("x",)}


@pytest.mark.parametrize("claim_map", [{}, {"a": '"x"', "b": '"y"'}])
async def test_nothing_is_read_when_nothing_is_needed(claim_map: dict[str, str]) -> None:
    """An empty or static map costs no look-up."""
    users = Users(user())
    await ProfileClaimsMapper(users).map(principal(), claim_map)
    assert users.reads == 0


async def test_profile_that_was_read_is_not_read_again() -> None:
    """Attributes that the validator brought are used, even where they say nothing."""
    users = Users(user())
    claims = await ProfileClaimsMapper(users).map(principal(attributes={}), {"a": "mail"})
    assert (claims.values, users.reads) == ({}, 0)
