"""What an import knows of the keys that an instance may have in its flat form."""

from __future__ import annotations

from adapters.instances import forgerock, forgerock_oidc, forgerock_saml2
from adapters.instances.known_keys import KEYS, SECTIONS

__all__ = ["CLASSES", "KEYS", "OPERATIONS", "SAID", "SECTIONS", "section_of"]

CLASSES = frozenset({*forgerock_saml2.PLUG_INS.values(), *forgerock_oidc.PLUG_INS.values()})
"""Those that name a class of the reference, here a plug-in."""

OPERATIONS = (forgerock.VALIDATORS, forgerock.PROVIDERS)

SAID = {
    "is-remote-sts-instance": (
        "it says how AM's own parts call each other; here nothing has to be called"
    ),
}
"""Keys of an export that mean nothing here, and why."""


def section_of(key: str) -> str | None:
    """``saml2-config`` and so on; None for the top."""
    if key.startswith("saml2-") or key == "issuer-name":
        return forgerock.SAML2
    if key.startswith("oidc-"):
        return forgerock.OIDC
    return forgerock.DEPLOYMENT if key.startswith("deployment-") else None
