"""The search for secrets in files, in whatever way they may have been written there."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping


def forms(secret: bytes) -> Iterator[bytes]:
    """The ways in which a secret may have been written. Hexadecimal digits are small ones."""
    yield secret
    yield secret.hex().encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # how many bytes stand before it in a group of three
            text = encode(bytes(before) + secret).rstrip(b"=")
            # characters at either end also hold bits of what stands beside the secret
            yield text[(before * 8 + 5) // 6 : len(text) if len(text) % 4 == 0 else -1]
    letters = secret.decode("latin-1")
    yield letters.encode("utf-16-le")
    yield letters.encode("utf-16-be")


def found(planted: Mapping[str, bytes], files: Mapping[str, bytes]) -> set[str]:
    """The names of the secrets that can be read in a file."""
    contents = [(content, content.lower()) for content in files.values()]
    return {
        name
        for name, secret in planted.items()
        for form in forms(secret)
        if any(form in content or form in lowered for content, lowered in contents)
    }
