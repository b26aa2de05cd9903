"""The keys that an instance may have in its flat form, and that mean something here."""

from __future__ import annotations

from adapters.instances import forgerock, forgerock_deployment

SECTIONS = (forgerock.DEPLOYMENT, forgerock.SAML2, forgerock.OIDC)

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
