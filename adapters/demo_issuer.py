"""The issuer of the demo: somebody else, who signs ID tokens that the demo's realm trusts.

Its private key is in the state folder, readable by its owner alone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from adapters.components import Components

NAME = "demo-issuer"
ISSUER = "https://demo-issuer.example.com"
SUBJECT = "alice"
KEY_FILE = "demo-issuer.pem"
KEY_BITS = 2048
LIFETIME_SECONDS = 3600
ALGORITHM = "RS256"


async def trust(components: Components) -> None:
    """Have the root realm trust it; its key is made where there is none."""
    key = _key(components.settings.state_dir / KEY_FILE)
    await components.issuers.put(
        "/",
        NAME,
        {
            "issuer": ISSUER,
            "audiences": [components.url],
            "jwks": {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint()}]},
        },
    )


def id_token(state_dir: Path, audience: str) -> str:
    """An ID token for ``audience`` that it has just issued. Raises OSError without a key."""
    key = RSAKey.import_key((state_dir / KEY_FILE).read_bytes())
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "auth_time": now,
        "amr": ["pwd"],
        "mail": "alice@example.net",
        "cn": "Alice",
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.thumbprint()}, claims, key)


def _key(path: Path) -> RSAKey:
    if not path.exists():
        made = RSAKey.generate_key(KEY_BITS)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(made.as_pem(private=True))
        return made
    return RSAKey.import_key(path.read_bytes())
