"""Instances in TOML files, for those who keep configuration in a repository.

::

    realm = "/"
    url_element = "orders"
    persist_issued_tokens = true
    keep_issued_tokens = true        # the tokens themselves, sealed, beside their records
    cancel_with_parent = true        # with the token of ours they were issued from, if there is one
    transforms = ["USERNAME -> SAML2", "OPENAM -> OPENIDCONNECT, end session"]
    certificate_header = "X-Client-Cert"     # where a TLS offloader puts a client's certificate
    offload_hosts = ["10.0.0.0/8"]           # whom to believe it

    [requesters]                     # who may ask, by transport; left out: everybody let in there
    amqp = ["alice", "key:<kid>"]
    mqtt = []                        # nobody

    [auth_targets]                   # who checks a type of input, where that is told by name
    API_KEY = { type = "module", value = "keys", context = { key_header_key = "X-Api-Key" } }

    [custom.validators]              # plug-ins by the custom token type that they check or issue
    API_KEY = "api-keys"

``[saml2]`` and ``[oidc]`` are in ``toml_saml2`` and ``toml_oidc``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from adapters.instances import toml_oidc, toml_saml2
from adapters.instances.members import Members
from broker.errors import InvalidInstance
from broker.instance import (
    REQUESTER_TRANSPORTS,
    AuthTarget,
    Instance,
    Transform,
)
from broker.model import TokenType, normal_realm

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
        "keep_issued_tokens",
        *("requesters", "saml2", "oidc", "auth_targets", "certificate_header", "offload_hosts"),
        "custom",
    )
    custom = top.section("custom")
    custom.only("validators", "providers")
    draft = Instance(
        realm=normal_realm(top.text("realm", "/")),
        url_element=top.text("url_element"),
        transforms=tuple(_transform(top, text) for text in top.texts("transforms")),
        saml2=toml_saml2.decode(top.section("saml2")) if top.given("saml2") else None,
        oidc=toml_oidc.decode(top.section("oidc")) if top.given("oidc") else None,
        persist_issued_tokens=top.flag("persist_issued_tokens"),
        cancel_with_parent=top.flag("cancel_with_parent"),
        keep_issued_tokens=top.flag("keep_issued_tokens"),
        requesters=top.name_sets("requesters", REQUESTER_TRANSPORTS),
        auth_targets=_targets(top.section("auth_targets")),
        certificate_header=top.optional("certificate_header"),
        offload_hosts=top.texts("offload_hosts"),
        custom_validators=_operations(custom, "validators"),
        custom_providers=_operations(custom, "providers"),
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


def _targets(targets: Members) -> dict[TokenType, AuthTarget]:
    found: dict[TokenType, AuthTarget] = {}
    for name in targets.names():
        entry = targets.section(name)
        entry.only("type", "value", "context")
        found[TokenType(name)] = AuthTarget(
            entry.text("type"), entry.text("value"), entry.text_map("context")
        )
    return found


def _operations(custom: Members, key: str) -> dict[TokenType, str]:
    return {TokenType(name): plug_in for name, plug_in in custom.text_map(key).items()}
