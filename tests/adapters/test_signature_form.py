"""ECDSA signatures in JWS form, judged by cryptography's own decoder and verification."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.issuers.verification import checks_of
from adapters.keys.certificates import der, self_signed
from adapters.keys.signers import KeySigner, side_by_side

SIZES = {32: 256, 48: 384, 66: 521}


@pytest.mark.parametrize("size", SIZES)
def test_every_pair_of_numbers(size: int) -> None:
    """Whatever r and s are, they stand side by side, each as long as the curve's order."""
    numbers = st.integers(1, 2 ** SIZES[size] - 1)

    @given(numbers, numbers)
    @example(1, 1)
    @example(0x7F, 0x80)
    @example(2 ** (8 * (size - 1)) - 1, 2 ** SIZES[size] - 1)
    def holds(r: int, s: int) -> None:
        written = side_by_side(encode_dss_signature(r, s), size)
        assert written == r.to_bytes(size, "big") + s.to_bytes(size, "big")

    holds()


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")],
)
async def test_they_verify(curve: ec.EllipticCurve, algorithm: str) -> None:
    """What the broker signs it verifies, on each curve; a few hundred have every odd length."""
    key = ec.generate_private_key(curve)
    signer = KeySigner(key, der(self_signed(key, "/", time.time())))
    check = checks_of(key.public_key())[algorithm]
    for number in range(300):
        data = b"%d" % number
        assert check(await signer.sign(data), data)
