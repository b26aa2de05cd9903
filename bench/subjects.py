"""An issuer of subject tokens that the broker under measurement trusts: JWTs of RS256."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from bench.target.keys import MintKey
from bench.target.minting import Plan, minted

NAME = "bench"
ISSUER = "https://idp.example.com"
AUDIENCE = "https://sts.example.com"
SUBJECT = "bench"


@dataclass(frozen=True)
class SubjectIssuer:
    """A new key, and what is to be said of it to the broker."""

    key: MintKey = field(default_factory=MintKey.generated)

    def document(self) -> dict[str, Any]:
        """For the broker's store of trusted issuers; subjects keep their names."""
        return {
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "jwks": {"keys": [self.key.public_jwk()]},
            "subject_prefix": "",
        }

    @cached_property
    def public_pem(self) -> str:
        """For a floor that verifies."""
        private: Any = serialization.load_pem_private_key(self.key.pem, None)
        return str(
            private.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def tokens(self, number: int) -> Iterator[str]:
        """So many JWTs, each with a ``jti`` of its own."""
        return minted(self.key, Plan(ISSUER, AUDIENCE, SUBJECT), number)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Into a folder: the private key in PEM, and the file that has the broker trust it."""
        key = folder / "subjects.pem"
        key.touch(mode=0o600)
        key.write_bytes(self.key.pem)
        (folder / "subjects.json").write_text(json.dumps({"keys": [self.key.public_jwk()]}))
        trusted = folder / "issuers.toml"
        trusted.write_text(
            f'[[issuer]]\nname = "{NAME}"\nissuer = "{ISSUER}"\naudiences = ["{AUDIENCE}"]\n'
            'subject_prefix = ""\njwks_file = "subjects.json"\n'
        )
        return key, trusted
