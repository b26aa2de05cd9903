"""What an imported instance needs so that its tokens stay as service providers know them."""

from __future__ import annotations

from pathlib import PureWindowsPath

from adapters.instances.forgerock import OWN_KEY_RING
from adapters.instances.forgerock_saml2 import ISSUE
from adapters.migration.choices import Choices
from adapters.migration.rows import ADDED, CHANGED, KEPT, LEFT_OUT, REFUSED, WEAK, Work
from adapters.migration.secret_values import short_secret
from broker.algorithms import (
    CBC_CIPHERS,
    CIPHER_BITS,
    CIPHER_URIS,
    HMAC_ALGORITHMS,
    RSA_1_5,
    RSA_SHA1,
    TRIPLE_DES,
    XML_SIGNATURES,
    short,
    uri,
)
from broker.instance import ACTIVE_KEY
from broker.option_rules import MADE_NAME_IDS

ENCRYPT = ("saml2-encrypt-assertion", "saml2-encrypt-attributes", "saml2-encrypt-nameid")
SIGNATURE = "saml2-signature-algorithm"
TRANSPORT = "saml2-key-transport-algorithm"
STRENGTH = "saml2-encryption-algorithm-strength"
_STORE = "saml2-keystore-filename"


def assertions(work: Work, choices: Choices) -> None:
    """Keep what an assertion looks like. The keys of ``saml2-config`` only."""
    encrypts = any(map(work.on, ENCRYPT))
    if work.on("saml2-sign-assertion"):
        _signature(work, choices)
    elif choices.signature_algorithm is not None and SIGNATURE not in work.flat:
        work.say(SIGNATURE, LEFT_OUT, "this instance does not sign assertions")
    if encrypts:
        _encryption(work)
    _assertion_keys(work, choices, encrypts)
    if work.text("saml2-name-id-format") in MADE_NAME_IDS and not work.text(
        "saml2-name-id-is-label"
    ):
        said = "the reference writes the user's name under this format, and so does this instance"
        work.put("saml2-name-id-is-label", "true", ADDED, said)
    if not work.text("saml2-authn-instant"):
        said = "the reference writes the time of issue as AuthnInstant, and so does this instance"
        work.put("saml2-authn-instant", ISSUE, ADDED, said)


def _signature(work: Work, choices: Choices) -> None:
    if work.text(SIGNATURE):
        if short(work.text(SIGNATURE), XML_SIGNATURES) == RSA_SHA1:
            work.say(SIGNATURE, WEAK, _legacy("sha1"))
        return
    if choices.signature_algorithm is None:
        said = (
            "the export does not say, since AM has it as a global setting whose default is "
            "rsa-sha1. Here it is rsa-sha256, which a service provider sees as SignatureMethod and "
            "DigestMethod; give --signature-algorithm rsa-sha1 for one that cannot verify it"
        )
        work.put(SIGNATURE, "RS256", ADDED, said)
        return
    weak = choices.signature_algorithm == RSA_SHA1
    said = _legacy("sha1") if weak else "given with --signature-algorithm"
    work.put(SIGNATURE, choices.signature_algorithm, WEAK if weak else ADDED, said)


def _encryption(work: Work) -> None:
    algorithm = uri(work.text("saml2-encryption-algorithm"), CIPHER_URIS)
    if algorithm in CBC_CIPHERS:
        work.say("saml2-encryption-algorithm", WEAK, _legacy("cbc"))
    elif algorithm == TRIPLE_DES:
        work.say(
            "saml2-encryption-algorithm",
            REFUSED,
            f"triple DES is not offered; give --set {work.name}.saml2-encryption-algorithm="
            "aes128-cbc once the service provider takes it",
        )
    bits = CIPHER_BITS.get(algorithm)
    if bits is not None and work.text(STRENGTH) != str(bits):
        work.put(STRENGTH, str(bits), CHANGED, f"keys of this algorithm have {bits} bits")
    if not work.text(TRANSPORT):
        said = f"the reference knows no other way. {_legacy('rsa-1_5')}"
        work.put(TRANSPORT, RSA_1_5, WEAK, said)
    elif work.text(TRANSPORT) in (RSA_1_5, "rsa-1_5"):
        work.say(TRANSPORT, WEAK, _legacy("rsa-1_5"))


def _assertion_keys(work: Work, choices: Choices, encrypts: bool) -> None:
    signs = work.on("saml2-sign-assertion")
    if not (signs or encrypts):
        for key in (_STORE, "saml2-signature-key-alias", "saml2-encryption-key-alias"):
            work.drop(key, "nothing is signed or encrypted")
        return
    _moved(work, _STORE)
    if not (signs and choices.realm_keys):
        return
    if encrypts and work.text(_STORE) not in ("", OWN_KEY_RING):
        # The service provider's certificate is still in there.
        for end in ("filename", "password"):
            values = work.flat.pop(f"saml2-keystore-{end}", None)
            if values:
                work.flat[f"saml2-encryption-keystore-{end}"] = values
                said = f"from saml2-keystore-{end}: the certificate to encrypt to is in that file"
                work.say(f"saml2-encryption-keystore-{end}", ADDED, said)
    said = "the realm's key signs: service providers need its certificate (remint keys list)"
    work.put(_STORE, OWN_KEY_RING, CHANGED, said)
    work.put("saml2-signature-key-alias", ACTIVE_KEY, CHANGED, "the realm's active key")


def id_tokens(work: Work, choices: Choices) -> None:
    """Keep what an ID token looks like. The keys of ``oidc-id-token-config`` only."""
    if work.text("oidc-signature-algorithm") in HMAC_ALGORITHMS:
        for key in ("oidc-keystore-location", "oidc-signature-key-alias"):
            work.drop(key, "the client secret signs")
        if least := short_secret(work):
            said = f"shorter than {least} bytes (RFC 7518, section 3.2). {_legacy('short-hmac')}"
            work.say("oidc-client-secret", WEAK, said)
        return
    _moved(work, "oidc-keystore-location")
    if choices.realm_keys:
        said = "the realm's key signs: relying parties find it in the realm's JWKS"
        work.put("oidc-keystore-location", OWN_KEY_RING, CHANGED, said)
        work.put("oidc-signature-key-alias", ACTIVE_KEY, CHANGED, "the realm's active key")


def _moved(work: Work, key: str) -> None:
    """A key store is a file below the folder that settings name, never a free path."""
    path = work.text(key)
    if path in ("", OWN_KEY_RING):
        return
    name = PureWindowsPath(path).name  # takes both kinds of slash
    if not name:
        work.say(key, REFUSED, f"name a file; give --set {work.name}.{key}=FILE")
    elif name != path:
        said = f"copy {path} into the realm's folder below keys.keystore_dir as {name}"
        work.put(key, name, CHANGED, said)
    else:
        work.say(key, KEPT)


def _legacy(name: str) -> str:
    return (
        f"weak, kept for service providers that know nothing else; the broker takes it only while "
        f"security.allow_legacy_output names {name}. remint instances make-safe replaces it"
        if name != "short-hmac"
        else f"The broker takes it only while security.allow_legacy_output names {name}; give the "
        "client a longer one"
    )
