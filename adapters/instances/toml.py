"""Instances in TOML files, for those who keep configuration in a repository.

::

    realm = "/"
    url_element = "orders"
    persist_issued_tokens = true
    cancel_with_parent = true        # with the token of ours they were issued from, if there is one
    transforms = ["USERNAME -> SAML2", "OPENAM -> OPENIDCONNECT, end session"]

    [requesters]                     # who may ask, by transport; left out: everybody let in there
    amqp = ["alice", "key:<kid>"]
    mqtt = []                        # nobody

    [saml2]
    issuer = "https://sts.example.com"
    audience = "https://sp.example.com"
    signing_key = "RS256"            # or "RS256 <kid>"; leave out for unsigned

    [oidc]
    issuer = "https://sts.example.com"
    audience = ["orders"]
    signing_key = "ES256"            # HS256 takes client_secret beside it
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from adapters.instances.members import Members
from broker.errors import InvalidInstance
from broker.instance import (
    ACTIVE_KEY,
    DEFAULT_LIFETIME_SECONDS,
    HMAC_ALGORITHMS,
    REQUESTER_TRANSPORTS,
    Instance,
    OidcOptions,
    Saml2Options,
    SigningKey,
    Transform,
)
from broker.model import Secret, TokenType, normal_realm

ARROW = "->"
END_SESSION = "end session"


def read(path: Path) -> Instance:
    """The draft in a file. Raises InvalidInstance with every problem, the file named in each."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise InvalidInstance([(str(path), error.strerror or "it cannot be read")]) from None
    except ValueError as error:
        raise InvalidInstance([(str(path), str(error))]) from None
    draft, problems = decode(document)
    if problems:
        raise InvalidInstance([(f"{path}: {key}", said) for key, said in problems])
    return draft


def decode(document: Any) -> tuple[Instance, list[tuple[str, str]]]:
    """The draft in a document, and the (key, sentence) of each member that is wrong."""
    problems: list[tuple[str, str]] = []
    top = Members(document, "document", problems)
    top.only(
        *("realm", "url_element", "persist_issued_tokens", "cancel_with_parent", "transforms"),
        *("requesters", "saml2", "oidc"),
    )
    draft = Instance(
        realm=normal_realm(top.text("realm", "/")),
        url_element=top.text("url_element"),
        transforms=tuple(_transform(top, text) for text in top.texts("transforms")),
        saml2=_saml2(top, problems) if top.given("saml2") else None,
        oidc=_oidc(top, problems) if top.given("oidc") else None,
        persist_issued_tokens=top.flag("persist_issued_tokens"),
        cancel_with_parent=top.flag("cancel_with_parent"),
        requesters=top.name_sets("requesters", REQUESTER_TRANSPORTS),
    )
    return draft, problems


def _transform(top: Members, text: str) -> Transform:
    pair, _, option = text.partition(",")
    given, arrow, wanted = (part.strip() for part in pair.partition(ARROW))
    if not (given and arrow and wanted) or option.strip() not in ("", END_SESSION):
        top.wrong(
            "transforms", f'write "INPUT {ARROW} OUTPUT" or "INPUT {ARROW} OUTPUT, end session"'
        )
    return Transform(TokenType(given), TokenType(wanted), option.strip() == END_SESSION)


def _saml2(top: Members, problems: list[tuple[str, str]]) -> Saml2Options:
    members = Members(top.value("saml2"), "saml2", problems, prefix="saml2.")
    members.only(
        *("issuer", "audience", "recipient", "name_id_format", "lifetime_seconds"),
        *("attribute_map", "signing_key"),
    )
    key = members.text("signing_key")
    return Saml2Options(
        issuer=members.text("issuer"),
        audience=members.text("audience"),
        recipient=members.optional("recipient"),
        name_id_format=members.optional("name_id_format"),
        lifetime_seconds=members.whole("lifetime_seconds", DEFAULT_LIFETIME_SECONDS),
        attribute_map=members.text_map("attribute_map"),
        signing_key=_signing_key(key) if key else None,
    )


def _oidc(top: Members, problems: list[tuple[str, str]]) -> OidcOptions:
    members = Members(top.value("oidc"), "oidc", problems, prefix="oidc.")
    members.only(
        *("issuer", "audience", "authorized_party", "lifetime_seconds", "claim_map"),
        *("signing_key", "client_secret"),
    )
    key = _signing_key(members.text("signing_key", "RS256"))
    if key.algorithm in HMAC_ALGORITHMS:
        key = SigningKey(key.algorithm, secret=Secret(members.text("client_secret")))
    return OidcOptions(
        issuer=members.text("issuer"),
        audience=members.texts("audience"),
        signing_key=key,
        authorized_party=members.optional("authorized_party"),
        lifetime_seconds=members.whole("lifetime_seconds", DEFAULT_LIFETIME_SECONDS),
        claim_map=members.text_map("claim_map"),
        multi_valued_as_array=True,
    )


def _signing_key(text: str) -> SigningKey:
    algorithm, _, alias = text.partition(" ")
    return SigningKey(algorithm, alias.strip() or ACTIVE_KEY)
