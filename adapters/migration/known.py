"""The keys that an instance may have in its flat form."""

from __future__ import annotations

from adapters.instances import forgerock, forgerock_deployment, forgerock_oidc, forgerock_saml2

SECTIONS = (forgerock.DEPLOYMENT, forgerock.SAML2, forgerock.OIDC)
CLASSES = frozenset({*forgerock_saml2.PLUG_INS.values(), *forgerock_oidc.PLUG_INS.values()})
"""Those that name a class of the reference, here a plug-in."""

OPERATIONS = (forgerock.VALIDATORS, forgerock.PROVIDERS)

KEYS = frozenset(
    {
        *(key for key in forgerock.KEYS.values() if key not in SECTIONS),
        *forgerock_deployment.KEYS.values(),
        *forgerock.SECRET_KEYS,
        *("deployment-realm", "persist-issued-tokens-in-cts", "requesters"),
        *("saml2-sp-acs-url", "saml2-name-id-format", "saml2-sign-assertion"),
        *("saml2-encrypt-attributes", "saml2-encrypt-nameid"),
        "saml2-encryption-algorithm-strength",
        *("saml2-name-id-is-label", "saml2-authn-instant", "saml2-authn-context-map"),
        *("oidc-authorized-party", "oidc-multi-valued-claims"),
        *("oidc-authn-context-map", "oidc-authn-methods-map"),
    }
)

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
