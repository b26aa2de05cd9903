"""Secrets and placeholders of an export: what is missing is said, with where to give it."""

from __future__ import annotations

import re

from adapters.instances.forgerock import REDACTED, SECRET_KEYS
from adapters.migration.choices import Choices
from adapters.migration.packed import PLACEHOLDER
from adapters.migration.rows import CHANGED, KEPT, LEFT_OUT, REFUSED, Work
from broker.algorithms import HMAC_ALGORITHMS, MIN_HMAC_SECRET_BYTES

ENCRYPTED = "-encrypted"

_NAMED = re.compile(r"&\{([^{}|]*)(\|[^{}]*)?\}")


def given(work: Work, choices: Choices) -> None:
    """Put in what the operator gave, and take out what only AM can read."""
    for key in [key for key in work.flat if key.endswith(ENCRYPTED)]:
        work.drop(key, "only AM can decrypt it")
    for (instance, key), value in choices.values.items():
        if instance == work.name:
            work.put(key, value, CHANGED, "given with --set")
    for (instance, key), secret in choices.secrets.items():
        if instance == work.name:
            work.put(key, secret.reveal(), CHANGED, "read from the file that --secret names")


def how(work: Work, key: str) -> str:
    """How to give a value that is missing."""
    if key in SECRET_KEYS:
        return f"put the secret into a file and give --secret {work.name}.{key}=FILE"
    return f"give --set {work.name}.{key}=VALUE"


def placeholders(work: Work) -> None:
    """Values that AM takes from its surroundings are nowhere in the export."""
    for key, values in work.flat.items():
        names = [text for text in values if PLACEHOLDER in text]
        if names and key not in SECRET_KEYS:
            said = f"{names[0]} stands for a value that AM has; {how(work, key)}"
            work.say(key, REFUSED, said)


def needed(work: Work) -> None:
    """Secrets that this instance cannot work without, and those that it does not need."""
    wanted = _wanted(work)
    for key in sorted(SECRET_KEYS):
        value = work.text(key)
        missing = not value or value == REDACTED or PLACEHOLDER in value
        if key in wanted and missing:
            work.flat.pop(key, None)
            why = "the export does not have it"
            if PLACEHOLDER in value:
                why = f"{_placeholder(value)} stands for a value that AM has"
            work.say(key, REFUSED, f"{why}; {how(work, key)}")
        elif value and key not in wanted:
            work.flat.pop(key)
            work.say(key, LEFT_OUT, "nothing here needs it")
        elif value and key not in work.rows:
            work.say(key, KEPT)


def _placeholder(secret: str) -> str:
    """The name in it alone: what stands around it, or is its default, is secret."""
    named = _NAMED.search(secret)
    return f"&{{{named[1]}}}" if named else "a placeholder"


def _wanted(work: Work) -> set[str]:
    wanted: set[str] = set()
    if _protected(work.text("saml2-keystore-filename")):
        wanted.add("saml2-keystore-password")
        if work.on("saml2-sign-assertion"):
            wanted.add("saml2-signature-key-password")
    if _protected(work.text("saml2-encryption-keystore-filename")):
        wanted.add("saml2-encryption-keystore-password")
    if work.text("oidc-signature-algorithm") in HMAC_ALGORITHMS:
        wanted.add("oidc-client-secret")
    elif _protected(work.text("oidc-keystore-location")):
        wanted |= {"oidc-keystore-password", "oidc-signature-key-password"}
    return wanted


def _protected(location: str) -> bool:
    """Whether the key store there has a password: PEM may have none, and the ring has none."""
    return location not in ("", "remint:") and not location.endswith((".pem", ".crt"))


def short_secret(work: Work) -> int:
    """The bytes that its client secret should have and has not; 0 where it is long enough."""
    algorithm, secret = work.text("oidc-signature-algorithm"), work.text("oidc-client-secret")
    least = MIN_HMAC_SECRET_BYTES.get(algorithm, 0)
    return least if secret and len(secret.encode()) < least else 0
