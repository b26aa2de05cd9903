"""Where RSA signatures are computed changes no signature, and no mistake goes missing."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from adapters.keys.certificates import der, self_signed
from adapters.keys.signers import KeySigner, inline
from adapters.keys.signing_threads import SigningThreads, run_for

PATIENCE_SECONDS = 30.0
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def _signer(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, threads: int = 2) -> KeySigner:
    certificate = der(self_signed(key, "/", time.time()))
    return KeySigner(key, certificate, SigningThreads(threads))


async def test_many_signatures_at_once() -> None:
    """Each of many requests gets the signature of its own bytes, though threads share the work."""
    signer = _signer(RSA_KEY)
    texts = [b"%d" % number for number in range(50)]
    made = await asyncio.gather(*map(signer.sign, texts))
    for signature, text in zip(made, texts, strict=True):
        RSA_KEY.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())


async def test_rsa_alone_leaves_the_event_loop() -> None:
    """An RSA signature is made in a thread of its own, an EC signature where it is asked for."""
    places: list[str] = []

    class Noting(SigningThreads):
        async def __call__(self, sign, data):  # type: ignore[no-untyped-def]
            def noted(data: bytes) -> bytes:
                places.append(threading.current_thread().name)
                return bytes(sign(data))

            return await super().__call__(noted, data)

    for key in (RSA_KEY, EC_KEY):
        certificate = der(self_signed(key, "/", time.time()))
        await KeySigner(key, certificate, Noting(1)).sign(b"data")
    assert places == ["sign-0"]


async def test_what_fails_in_a_thread_is_raised() -> None:
    """An error in a thread reaches who waits, and the thread goes on with the next signature."""

    def broken(data: bytes) -> bytes:
        raise ValueError(data.decode())

    run = SigningThreads(1)
    with pytest.raises(ValueError, match="why"):
        await run(broken, b"why")
    assert await run(bytes.upper, b"next") == b"NEXT"


async def test_who_was_cancelled_is_passed_over() -> None:
    """A request that is cut short while its signature is made holds up nobody."""
    run, begun, goes_on = SigningThreads(1), threading.Event(), threading.Event()

    def slow(data: bytes) -> bytes:
        begun.set()
        goes_on.wait(PATIENCE_SECONDS)
        return data

    waiting = asyncio.create_task(run(slow, b"first"))
    await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
    waiting.cancel()
    goes_on.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await run(bytes.upper, b"second") == b"SECOND"
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_threads_serve_the_next_event_loop() -> None:
    """A broker that is built anew on another event loop goes on with the same threads."""
    run = SigningThreads(1)
    for text in (b"one", b"two"):
        assert asyncio.run(run(bytes.upper, text)) == text.upper()


@pytest.mark.parametrize(("workers", "cores", "here"), [(1, 1, True), (2, 2, True), (1, 4, False)])
def test_auto(monkeypatch: pytest.MonkeyPatch, workers: int, cores: int, here: bool) -> None:
    """Workers that cover the cores sign where they are; one that has several has threads."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert (run_for("auto", workers) is inline) is here


def test_what_is_said_counts() -> None:
    """Whoever names a number of threads, or none, gets that whatever the machine."""
    assert run_for("inline", 1) is inline
    assert isinstance(run_for(3, 256), SigningThreads)


async def test_the_threads_end_with_their_broker() -> None:
    """A broker that is built anew in the same process leaves no threads behind."""
    before = set(threading.enumerate())
    run = SigningThreads(3)
    await run(bytes.upper, b"data")
    ours = [one for one in threading.enumerate() if one.name.startswith("sign-")]
    ours = [one for one in ours if one not in before]
    assert len(ours) == 3
    del run
    for one in ours:
        await asyncio.to_thread(one.join, PATIENCE_SECONDS)
        assert not one.is_alive()
