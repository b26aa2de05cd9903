"""What is written by hand for speed, judged by the standard library."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from broker.model import ENTROPY_BYTES
from handlers.jwt.provider import OidcProvider


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_a_jti_is_a_random_uuid(entropy: bytes) -> None:
    """Whatever the entropy, a jti is the version 4 UUID that the standard library makes of it."""
    assert OidcProvider().token_id(entropy) == str(uuid.UUID(bytes=entropy[:16], version=4))
