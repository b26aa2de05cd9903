"""Every key of `saml2-config`."""

from __future__ import annotations

from typing import Any

from broker.algorithms import RSA_1_5
from tests.http.states import KEYSTORE_PASSWORD
from tests.rest_sts.rows import Broken, Kept, Row, Ruled, Section, better, own, supported, tested
from tests.support.recipients import certificate

GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
OAEP = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
HIDDEN = "(unchanged)"
STORES = "http/test_publish_key_stores::"
STATEMENTS = "plugins/test_statements::"


def encrypted(what: str = "assertion", cipher: str = GCM, bits: str = "256") -> dict[str, Any]:
    """What else a document needs that encrypts."""
    return {
        "saml2": {
            f"saml2-encrypt-{what}": "true",
            "saml2-encryption-algorithm": cipher,
            "saml2-encryption-algorithm-strength": bits,
            "saml2-encryption-certificate": certificate(),
        }
    }


NO_PLUG_IN = "org.example.NotThere"
PLUG_INS: tuple[tuple[str, str, str], ...] = (
    ("saml2-custom-conditions-provider-class-name", "`Conditions`", "test_all_parts"),
    ("saml2-custom-subject-provider-class-name", "the subject", "test_all_parts"),
    (
        "saml2-custom-authentication-statements-provider-class-name",
        "authentication statements",
        "test_all_parts",
    ),
    (
        "saml2-custom-attribute-statements-provider-class-name",
        "attribute statements",
        "test_one_part",
    ),
    (
        "saml2-custom-authz-decision-statements-provider-class-name",
        "authorization decisions",
        "test_all_parts",
    ),
)


def _plug_in(key: str, what: str, test: str) -> Row:
    return better(
        key,
        f"A [plug-in](plug-ins.md) that writes {what}. A missing one is a 400 at publish; with AM "
        "it fails at issue.",
        Broken({"saml2": {key: NO_PLUG_IN}}),
        tested(STATEMENTS + test),
    )


SAML2 = Section(
    "`saml2-config`",
    "What [assertions](assertions.md) say and how they are signed and encrypted.",
    (
        supported("issuer-name", "Required.", Kept("urn:example:sts"), Ruled()),
        supported("saml2-sp-entity-id", "Required: the audience.", Kept("urn:example:sp"), Ruled()),
        supported(
            "saml2-sp-acs-url",
            "The recipient of bearer assertions. Optional, as in AM's code.",
            Kept("https://sp.example.com/other"),
            Kept(None),
        ),
        better(
            "saml2-name-id-format",
            "`persistent` and `transient` are real identifiers, unless `saml2-name-id-is-label` "
            "says otherwise; any other format is a label on the name.",
            Kept(PERSISTENT),
            Kept(None),
            tested("http/test_assertions::test_persistent_identifiers_are_pairwise"),
        ),
        better(
            "saml2-token-lifetime-seconds",
            "Required; at least 1, and bounded.",
            Kept("60"),
            Ruled(),
        ),
        supported(
            "saml2-attribute-map",
            "Required, may be `{}`; the whole syntax of AM.",
            Kept({"urn:x|mail": "mail", "team": '"orders"', "photo": "photo;binary"}),
            Ruled(),
            tested("http/test_assertions::test_attribute_map_s_whole_syntax"),
        ),
        supported(
            "saml2-sign-assertion",
            "A flag.",
            Kept("false"),
            Broken({"saml2": {"saml2-sign-assertion": "perhaps"}}),
        ),
        supported(
            "saml2-encrypt-assertion",
            "Excludes the next two.",
            Kept("true", also=encrypted()),
            Ruled(),
        ),
        supported(
            "saml2-encrypt-attributes",
            "Each attribute is encrypted, then the assertion is signed.",
            Kept("true", also=encrypted("attributes")),
            Broken({"saml2": {"saml2-encrypt-attributes": "perhaps"}}),
        ),
        supported(
            "saml2-encrypt-nameid",
            "The NameID is encrypted, then the assertion is signed.",
            Kept("true", also=encrypted("nameid")),
            Broken({"saml2": {"saml2-encrypt-nameid": "perhaps"}}),
        ),
        better(
            "saml2-encryption-algorithm",
            "AES in GCM too. CBC while `security.allow_legacy_output` names `cbc`, as it does by "
            "default; triple DES is refused.",
            Kept(CBC, also=encrypted(cipher=CBC, bits="128")),
            Kept(GCM, also=encrypted()),
            Ruled(),
        ),
        better(
            "saml2-encryption-algorithm-strength",
            'Required, `"0"` without encryption; another number than the algorithm has is a 400 '
            "at publish, where AM fails at issue.",
            Kept("128", also=encrypted(cipher=CBC, bits="128")),
            Ruled(),
        ),
        better(
            "saml2-keystore-filename",
            "A PKCS #12, PEM or Java [key store](keys.md#key-stores) below one folder that "
            "settings name; `remint:` or nothing is the realm's own ring.",
            Kept("remint:"),
            Ruled(),
            tested(STORES + "test_signs_with_its_own_key", STORES + "test_java_key_stores"),
        ),
        better(
            "saml2-keystore-password",
            "Opens the file. Reads show `(unchanged)`, and a PUT with that keeps it; AM shows it.",
            Kept(KEYSTORE_PASSWORD, HIDDEN),
            tested(
                STORES + "test_what_cannot_be_read",
                STORES + "test_passwords_are_hidden_and_kept",
            ),
        ),
        better(
            "saml2-encryption-key-alias",
            "The service provider's certificate in the key store. One whose key is no RSA key, or "
            "too small, is a 400.",
            Ruled(),
            tested(
                STORES + "test_recipient_in_the_key_store",
                STORES + "test_recipient_that_cannot_be_found",
            ),
        ),
        supported(
            "saml2-signature-key-alias",
            "The key in the key store; in the realm's ring `active` or a `kid`.",
            Kept("active"),
            Ruled(),
            tested(STORES + "test_signs_with_its_own_key"),
        ),
        better(
            "saml2-signature-key-password",
            "Opens the key. Hidden like the other.",
            tested(
                STORES + "test_what_cannot_be_read",
                STORES + "test_passwords_are_hidden_and_kept",
            ),
        ),
        *(_plug_in(*each) for each in PLUG_INS),
        better(
            "saml2-custom-attribute-mapper-class-name",
            "A plug-in that gives the attributes.",
            Ruled(),
            tested("plugins/test_mappers::test_attribute_mapper_and_context"),
        ),
        better(
            "saml2-custom-authn-context-mapper-class-name",
            "A plug-in that gives the class of authentication. AM falls back to its own, silently, "
            "when the class is missing; here that is a 400.",
            Broken({"saml2": {"saml2-custom-authn-context-mapper-class-name": NO_PLUG_IN}}),
            tested("plugins/test_mappers::test_attribute_mapper_and_context"),
        ),
        own(
            "saml2-signature-algorithm",
            "By JOSE's name or its URI; RSA with SHA-256 if it is left out. AM has one for all "
            "instances, by default `rsa-sha1`.",
            Kept("ES256"),
            Ruled(),
        ),
        own("saml2-digest-algorithm", "SHA-256, -384 or -512.", Kept("sha512"), Ruled()),
        own(
            "saml2-key-transport-algorithm",
            "`rsa-oaep-mgf1p` if it is left out, or `rsa-oaep`; `rsa-1_5`, which AM writes, only "
            "if settings name it.",
            Kept(OAEP, also=encrypted()),
            Broken({"saml2": encrypted()["saml2"] | {"saml2-key-transport-algorithm": RSA_1_5}}),
            Ruled(),
        ),
        own(
            "saml2-key-transport-digest",
            "Of `rsa-oaep`.",
            Kept(
                "sha512",
                also={"saml2": encrypted()["saml2"] | {"saml2-key-transport-algorithm": OAEP}},
            ),
            Ruled(),
        ),
        own(
            "saml2-encryption-certificate",
            "The service provider's certificate itself, in place of an alias.",
            Kept(certificate(), also=encrypted()),
            Ruled(),
        ),
        own(
            "saml2-encryption-keystore-filename",
            "The key store of `saml2-encryption-key-alias`, where it is another one.",
            tested(STORES + "test_recipient_in_the_key_store"),
        ),
        own(
            "saml2-encryption-keystore-password",
            "Its password.",
            tested(STORES + "test_passwords_are_hidden_and_kept"),
        ),
        own(
            "saml2-authn-context-map",
            "The class of authentication by type of input.",
            Kept({"USERNAME": "urn:example:password"}),
            Ruled(),
            tested("http/test_assertions::test_authentication_context_by_input_type"),
        ),
        own(
            "saml2-authn-instant",
            "`login`: when the user logged in; `issue`, as AM has it, if it is left out.",
            Kept("login"),
            Ruled(),
            tested("http/test_assertions::test_authentication_instant_of_a_session"),
        ),
        own(
            "saml2-name-id-attribute",
            "Where the NameID comes from, if not from the name.",
            Kept("mail"),
            Ruled(),
            tested("http/test_assertions::test_attribute_as_name"),
        ),
        own(
            "saml2-name-id-is-label",
            "`persistent` and `transient` are labels on the name, as AM has it.",
            Kept("true", also={"saml2": {"saml2-name-id-format": PERSISTENT}}),
            Broken({"saml2": {"saml2-name-id-is-label": "perhaps"}}),
            tested("http/test_assertions::test_label_is_the_reference_s_wire"),
        ),
    ),
    "saml2",
)
