"""ID tokens that nobody trusted has signed, by the name of the attack."""

from __future__ import annotations

import json

from tests.support.issuers import IDP, by_secret, claims, key, signed
from tests.support.jose import b64

AT = 1_700_000_000
"""When they would be good, if they were."""


def forged_tokens() -> dict[str, str]:
    """Tokens that nobody trusted has signed."""
    good = signed(claims(AT))
    head, body, mac = good.split(".")
    mallory = key("RSA", "k1", 1)
    public_jwk = mallory.export_public(as_dict=True)
    pem = key().export_to_pem()
    unsigned = b64(json.dumps({"alg": "none"}).encode()).decode()
    forged = {
        "signature cut": f"{head}.{body}.",
        "signature gone": f"{head}.{body}",
        "signature of another": f"{head}.{body}." + signed(claims(AT, sub="x")).split(".")[2],
        "padded": good + "=",
        "a part more": good + ".",
        "five parts": f"{head}..{body}.{mac}.",
        "blank": f" {good}",
        "other alphabet": f"{head}.{body}." + mac.replace("-", "+").replace("_", "/") + "+",
        "empty": "..",
        "unsigned": f"{unsigned}.{body}.",
        "key of another": signed(claims(AT), mallory),
        "key in jwk": signed(claims(AT), mallory, jwk=public_jwk),
        "key at jku": signed(claims(AT), mallory, jku="http://127.0.0.1:9/jwks"),
        "key at x5u": signed(claims(AT), mallory, x5u="http://127.0.0.1:9/x5u"),
        "public PEM as a secret": by_secret(claims(AT), pem, kid="k1"),
        "public DER as a secret": by_secret(claims(AT), b"".join(pem.splitlines()[1:-1])),
        "public JWK as a secret": by_secret(claims(AT), key().export_public().encode(), kid="k1"),
        "empty secret": by_secret(claims(AT), b"", kid="k1"),
        "algorithm of another kind": signed(claims(AT), key("P-256", "k2"), "ES256", kid="k1"),
        "unknown kid": signed(claims(AT), kid="k9"),
        "kid a path": signed(claims(AT), kid="../../dev/null"),
        "kid empty": signed(claims(AT), kid=""),
        "kid a list": signed(claims(AT), kid=["k1"]),
        "kid huge": signed(claims(AT), kid="k" * 40_000),
        "crit": signed(claims(AT), crit=["exp"], exp=1),
        "cty": signed(claims(AT), cty="JWT"),
        "zip": signed(claims(AT), zip="DEF"),
        "typ of an access token": signed(claims(AT), typ="at+jwt"),
        "typ of a logout token": signed(claims(AT), typ="logout+jwt"),
        "typ a number": signed(claims(AT), typ=1),
        "payload a list": signed(b"[1]"),
        "payload empty": signed(b""),
        "payload NaN": signed(b'{"iss":NaN}'),
        "payload deep": signed(b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
        "member twice": signed(json.dumps(claims(AT)).encode()[:-1] + b', "sub": "admin"}'),
        "inner member twice": signed(
            json.dumps(claims(AT)).encode()[:-1] + b', "x": [{"a": 1, "a": 1}]}'
        ),
    }
    for word in ("none", "None", "NONE", "nOnE", "", "HS256", "rs256", "RS256 "):
        altered = b64(json.dumps({"alg": word, "kid": "k1"}).encode()).decode()
        forged[f"alg {word!r}"] = f"{altered}.{body}.{mac}"
    for issuer in (None, IDP[:-1], IDP + "/", IDP.upper(), [IDP], "", 1):
        forged[f"iss {issuer!r}"] = signed(claims(AT, iss=issuer))
    return forged


FORGED = forged_tokens()
