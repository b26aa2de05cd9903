"""A prepared HMAC is HMAC."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from broker.mac import authenticated

BLOCK_BYTES = 64


@given(key=st.binary(max_size=2 * BLOCK_BYTES + 1), text=st.binary(max_size=300))
def test_it_is_that_of_the_standard_library(key: bytes, text: bytes) -> None:
    """For any key, shorter or longer than a block, and any text."""
    assert authenticated(text, key) == hmac.digest(key, text, "sha256")
    assert authenticated(text, key) == hmac.digest(key, text, "sha256"), "the second time as well"
