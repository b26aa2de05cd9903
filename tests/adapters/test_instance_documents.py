"""Instances as documents: what is written is read as the same instance, whatever it holds."""

from __future__ import annotations

import base64
import tomllib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.instances import forgerock, toml, view_bean
from adapters.instances.members import MAX_LIST_LENGTH
from adapters.instances.redaction import REDACTED, SECRET_KEYS
from broker.algorithms import (
    CIPHER_URIS,
    ENCRYPTION_BY_KIND,
    HMAC_ALGORITHMS,
    OIDC_ALGORITHMS,
    OIDC_CONTENT_ALGORITHMS,
    RSA_OAEP,
    SAML2_ALGORITHMS,
    XML_DIGESTS,
    XML_KEY_TRANSPORTS,
)
from broker.errors import InvalidInstance
from broker.instance import (
    ACTIVE_KEY,
    STANDARD_INPUTS,
    STANDARD_OUTPUTS,
    AuthTarget,
    Instance,
    KeyStore,
    OidcEncryption,
    OidcOptions,
    OidcPlugIns,
    Recipient,
    Saml2Encryption,
    Saml2Options,
    Saml2PlugIns,
    SigningKey,
    Transform,
)
from broker.model import Secret, TokenType

TEXT = (
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FF), min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: bool(text) and text.isprintable())
)
TYPES = TEXT.map(TokenType)
SECRETS = st.text(min_size=1, max_size=12).filter(lambda t: t.isprintable()).map(Secret)
MAPS = st.dictionaries(TEXT, TEXT, max_size=3)
BY_TYPE = st.dictionaries(TYPES, TEXT, max_size=3)
STORES = st.builds(
    KeyStore,
    TEXT.filter(lambda text: text != forgerock.OWN_KEY_RING),
    st.none() | SECRETS,
    st.none() | SECRETS,
)


def _keys(algorithms: frozenset[str]) -> st.SearchStrategy[SigningKey]:
    named = sorted(algorithms - HMAC_ALGORITHMS)
    ring = st.builds(SigningKey, st.sampled_from(named), st.just(ACTIVE_KEY) | TEXT)
    own = st.builds(SigningKey, st.sampled_from(named), TEXT, st.none(), STORES)
    return ring | own


HMACS = st.builds(
    SigningKey, st.sampled_from(sorted(HMAC_ALGORITHMS)), st.just(ACTIVE_KEY), SECRETS
)
RECIPIENTS = st.builds(
    Recipient, TEXT, STORES.map(lambda each: KeyStore(each.location, each.password))
) | st.builds(Recipient, certificate=st.binary(min_size=1, max_size=20))


@st.composite
def _encryptions(draw: st.DrawFn) -> Saml2Encryption:
    whole = draw(st.booleans())
    return Saml2Encryption(
        recipient=draw(RECIPIENTS),
        algorithm=draw(st.sampled_from(sorted(CIPHER_URIS.values()))),
        key_transport=draw(st.sampled_from(sorted(XML_KEY_TRANSPORTS.values()))),
        digest=draw(st.none() | st.sampled_from(sorted(XML_DIGESTS.values()))),
        assertion=whole,
        attributes=not whole,
        name_id=not whole and draw(st.booleans()),
    )


@st.composite
def _saml2(draw: st.DrawFn) -> Saml2Options:
    options = draw(
        st.builds(
            Saml2Options,
            issuer=TEXT,
            audience=TEXT,
            recipient=st.none() | TEXT,
            name_id_format=st.none() | TEXT,
            lifetime_seconds=st.integers(1, 10**6),
            attribute_map=MAPS,
            signing_key=st.none() | _keys(SAML2_ALGORITHMS),
            digest=st.none() | st.sampled_from(sorted(XML_DIGESTS)),
            encryption=st.none() | _encryptions(),
            authn_contexts=BY_TYPE,
            plug_ins=st.builds(Saml2PlugIns, *[st.none() | TEXT] * len(Saml2PlugIns.__slots__)),
            name_id_attribute=st.none() | TEXT,
            name_id_is_label=st.booleans(),
            authn_instant_is_login=st.booleans(),
        )
    )
    return options


JWKS = st.sampled_from(sorted(ENCRYPTION_BY_KIND)).flatmap(
    lambda kind: st.builds(
        OidcEncryption,
        st.just({"kty": kind, "n": "AQ"}),
        st.sampled_from(sorted(ENCRYPTION_BY_KIND[kind])),
        st.sampled_from(sorted(OIDC_CONTENT_ALGORITHMS)),
    )
)
OIDC = st.builds(
    OidcOptions,
    issuer=TEXT,
    audience=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    signing_key=_keys(OIDC_ALGORITHMS) | HMACS,
    authorized_party=st.none() | TEXT,
    lifetime_seconds=st.integers(1, 10**6),
    claim_map=MAPS,
    public_key_reference=st.sampled_from(["NONE", "JWK"]),
    multi_valued_as_array=st.booleans(),
    encryption=st.none() | JWKS,
    authn_contexts=BY_TYPE,
    authn_methods=st.dictionaries(TYPES, st.lists(TEXT, min_size=1, max_size=2).map(tuple)),
    plug_ins=st.builds(OidcPlugIns, *[st.none() | TEXT] * len(OidcPlugIns.__slots__)),
)
TRANSFORMS = st.lists(
    st.builds(
        Transform,
        st.sampled_from(sorted(STANDARD_INPUTS)) | TYPES,
        st.sampled_from(sorted(STANDARD_OUTPUTS)) | TYPES,
        st.booleans(),
    ),
    unique_by=lambda each: (each.input, each.output),
    max_size=4,
).map(tuple)
INSTANCES = st.builds(
    Instance,
    realm=st.just("/") | st.text("abc", min_size=1, max_size=3).map(lambda name: f"/{name}"),
    url_element=TEXT,
    transforms=TRANSFORMS,
    saml2=st.none() | _saml2(),
    oidc=st.none() | OIDC,
    persist_issued_tokens=st.booleans(),
    cancel_with_parent=st.booleans(),
    keep_issued_tokens=st.booleans(),
    requesters=st.dictionaries(
        st.sampled_from(["amqp", "mqtt"]), st.frozensets(TEXT, max_size=2), max_size=2
    ),
    auth_targets=st.dictionaries(TYPES, st.builds(AuthTarget, TEXT, TEXT, MAPS), max_size=2),
    certificate_header=st.none() | TEXT,
    offload_hosts=st.lists(TEXT, max_size=2).map(tuple),
    custom_validators=BY_TYPE,
    custom_providers=BY_TYPE,
)


@given(INSTANCES)
def test_round_trip(instance: Instance) -> None:
    """An instance survives being written, stored as JSON and read, to the last field."""
    written = orjson.loads(orjson.dumps(forgerock.encode(instance)))
    read, problems = forgerock.decode(written)
    assert problems == []
    assert set(read.transforms) == set(instance.transforms)
    assert forgerock.encode(read) == forgerock.encode(instance)
    for name in Instance.__dataclass_fields__:
        if name not in ("transforms", "offered"):
            assert getattr(read, name) == getattr(instance, name), name


@given(INSTANCES)
def test_what_is_shown_can_be_written_back(instance: Instance) -> None:
    """A read hides every secret, and writing it back restores each of them."""
    written = forgerock.encode(instance)
    shown = forgerock.shown(written)
    for section in ("saml2-config", "oidc-id-token-config"):
        for key, value in (shown[section] or {}).items():
            assert key not in SECRET_KEYS or value in (None, REDACTED)
    kept = forgerock.with_kept_secrets(shown, written)
    assert forgerock.decode(kept)[0] == forgerock.decode(written)[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = sorted({*forgerock.KEYS.values(), *forgerock.encode(toml.decode({})[0]), *SECRET_KEYS})
STATES = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=8),
    max_leaves=20,
)


@given(STATES)
def test_nothing_that_is_json_breaks_reading(state: Any) -> None:
    """Whatever JSON arrives is read to a draft and to problems, each a key and a sentence."""
    draft, problems = forgerock.decode(state)
    assert isinstance(draft, Instance)
    assert all(key and said for key, said in problems)


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8))
def test_nothing_flat_breaks_reading(flat: dict[str, Any]) -> None:
    """Whatever is in a flat map becomes a structured one, or problems that name its keys."""
    try:
        state = view_bean.structured(flat)
    except InvalidInstance as error:
        named = {key for key, _ in error.problems}
    else:
        forgerock.decode(state)
        named = set()
    assert named <= flat.keys()


EVERY_FIELD = """
realm = "/sales"
url_element = "orders"
persist_issued_tokens = true
keep_issued_tokens = true
cancel_with_parent = true
transforms = ["USERNAME -> SAML2", "API_KEY -> REPORT, end session"]
certificate_header = "X-Client-Cert"
offload_hosts = ["10.0.0.0/8"]
requesters = { amqp = ["alice"] }
auth_targets.X509 = { type = "module", value = "cert", context = { header = "X" } }
custom.validators = { API_KEY = "api-keys" }
custom.providers = { REPORT = "reports" }

[saml2]
issuer = "https://sts.example.com"
audience = "https://sp.example.com"
recipient = "https://sp.example.com/acs"
name_id_format = "urn:f"
name_id_attribute = "mail"
name_id_is_label = true
lifetime_seconds = 60
signing_key = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512 own"
key_store = { file = "own.p12", password = " p ", key_password = "q" }
digest = "http://www.w3.org/2001/04/xmlenc#sha256"
attribute_map = { mail = "mail" }
authn_contexts = { USERNAME = "urn:c" }
plug_ins = { subject = "subjects" }

[saml2.encryption]
attributes = true
name_id = true
alias = "partner"
algorithm = "aes128-gcm"
key_transport = "rsa-oaep"
digest = "sha256"

[oidc]
issuer = "https://sts.example.com"
audience = ["orders"]
authorized_party = "orders"
lifetime_seconds = 60
signing_key = "PS384 other"
key_store = { file = "other.jks" }
public_key_reference = "JWK"
multi_valued_claims = "joined"
claim_map = { email = "mail" }
authn_contexts = { USERNAME = "urn:c" }
authn_methods = { USERNAME = ["pwd", "otp"] }
encryption = { key = { kty = "RSA", n = "AQ", e = "AQAB" }, content = "A128GCM" }
plug_ins = { claim_mapper = "claims" }
"""


def test_every_field_in_toml() -> None:
    """TOML names every field that an instance has."""
    read, problems = toml.decode(tomllib.loads(EVERY_FIELD))
    assert problems == []
    store = KeyStore("own.p12", Secret(" p "), Secret("q"))
    assert read.saml2 == Saml2Options(
        issuer="https://sts.example.com",
        audience="https://sp.example.com",
        recipient="https://sp.example.com/acs",
        name_id_format="urn:f",
        lifetime_seconds=60,
        attribute_map={"mail": "mail"},
        signing_key=SigningKey("RS512", "own", store=store),
        digest="sha256",
        encryption=Saml2Encryption(
            recipient=Recipient("partner", KeyStore("own.p12", Secret(" p "))),
            algorithm=CIPHER_URIS["aes128-gcm"],
            key_transport=RSA_OAEP,
            digest=XML_DIGESTS["sha256"],
            attributes=True,
            name_id=True,
        ),
        authn_contexts={TokenType("USERNAME"): "urn:c"},
        plug_ins=Saml2PlugIns(subject="subjects"),
        name_id_attribute="mail",
        name_id_is_label=True,
        authn_instant_is_login=True,
    )
    assert read.oidc == OidcOptions(
        issuer="https://sts.example.com",
        audience=("orders",),
        signing_key=SigningKey("PS384", "other", store=KeyStore("other.jks")),
        authorized_party="orders",
        lifetime_seconds=60,
        claim_map={"email": "mail"},
        public_key_reference="JWK",
        encryption=OidcEncryption(
            {"kty": "RSA", "n": "AQ", "e": "AQAB"}, "RSA-OAEP-256", "A128GCM"
        ),
        authn_contexts={TokenType("USERNAME"): "urn:c"},
        authn_methods={TokenType("USERNAME"): ("pwd", "otp")},
        plug_ins=OidcPlugIns(claim_mapper="claims"),
    )
    assert read.keep_issued_tokens
    target = AuthTarget("module", "cert", {"header": "X"})
    assert read.auth_targets == {"X509": target}
    assert (read.certificate_header, read.offload_hosts) == ("X-Client-Cert", ("10.0.0.0/8",))
    assert (read.custom_validators, read.custom_providers) == (
        {"API_KEY": "api-keys"},
        {"REPORT": "reports"},
    )
    assert forgerock.decode(forgerock.encode(read))[0] == read


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"custom": {"mappers": {}}}, "custom.mappers"),
        ({"auth_targets": {"X509": {"kind": "module"}}}, "auth_targets.X509.kind"),
        ({"auth_targets": {"X509": "module"}}, "auth_targets.X509"),
        ({"saml2": {"encryption": {"algorithm": "aes256-gcm"}}}, "saml2.encryption.assertion"),
        ({"saml2": {"encryption": {"sign": True}}}, "saml2.encryption.sign"),
        ({"saml2": {"plug_ins": {"mapper": "x"}}}, "saml2.plug_ins.mapper"),
        ({"saml2": {"key_store": {"password": "x"}}}, "saml2.key_store.file"),
        ({"saml2": {"key_store": "own.p12"}}, "saml2.key_store"),
        ({"oidc": {"encryption": {"content": "A256GCM"}}}, "oidc.encryption.key"),
        ({"oidc": {"multi_valued_claims": "all"}}, "oidc.multi_valued_claims"),
        ({"oidc": {"plug_ins": {"mapper": "x"}}}, "oidc.plug_ins.mapper"),
    ],
)
def test_toml_that_is_wrong(document: dict[str, Any], key: str) -> None:
    """A member that TOML has not, or has otherwise, is named with where it stands."""
    _, problems = toml.decode(document)
    assert key in {named for named, _ in problems}


def test_lists_are_bounded() -> None:
    """A map or list that is longer than anybody needs is refused by its key."""
    many = {str(number): "a" for number in range(MAX_LIST_LENGTH + 1)}
    document = {"custom": {"validators": many}, "oidc": {"authn_methods": many}}
    _, problems = toml.decode(document)
    assert {key for key, _ in problems} == {"custom.validators", "oidc.authn_methods"}


def test_certificate_in_pem_or_base64() -> None:
    """A recipient's certificate is read from PEM with its lines, and from DER in base64."""
    der = bytes(range(100))
    written = base64.encodebytes(der).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{written}-----END CERTIFICATE-----\n"
    for text in (pem, written, written.replace("\n", "")):
        encryption = {"assertion": True, "certificate": text}
        read, problems = toml.decode({"saml2": {"encryption": encryption}})
        assert problems == []
        assert read.saml2 is not None
        assert read.saml2.encryption is not None
        assert read.saml2.encryption.recipient == Recipient(certificate=der)
