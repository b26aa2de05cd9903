"""``ldap``: reads the document of a module and makes the module."""

from __future__ import annotations

import ssl
from pathlib import Path

from adapters.authentication.kinds import Parts
from adapters.authentication.modules.ldap import reading
from adapters.authentication.modules.ldap.account import gssapi
from adapters.authentication.modules.ldap.module import LdapModule
from adapters.authentication.modules.ldap.options import (
    BINARY,
    DEFAULT_TIMEOUT_SECONDS,
    MAX_TIMEOUT_SECONDS,
    Account,
    Bind,
    Groups,
    Mode,
    Options,
    Source,
)
from adapters.authentication.modules.ldap.protocol import Scope
from adapters.authentication.modules.subjects import LINK
from adapters.instances.members import Members
from broker.authentication import AuthModule

SCOPES = {"subtree": Scope.SUBTREE, "one_level": Scope.ONE_LEVEL, "base": Scope.BASE}
KEYS = (
    "servers",
    "starttls",
    "allow_plaintext",
    "ca_file",
    "client_certificate_file",
    "client_key_file",
    "bind",
    "bind_dn",
    "bind_password",
    "keytab_file",
    "bind_principal",
    "mode",
    "login_forms",
    "search_bases",
    "scope",
    "login_attributes",
    "filter",
    "upn_attribute",
    "account_attribute",
    "sid_attribute",
    "domains",
    "default_domains",
    "name_attribute",
    "attributes",
    "binary_attributes",
    "enabled_by",
    "disabled_by",
    "groups",
    "decoy_dn",
    "lookup_attribute",
    LINK,
    "timeout",
)


class LdapKind:
    """Its secret is the password of the broker's account."""

    name = "ldap"
    secrets = frozenset({"bind_password"})

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only(*KEYS)
        return LdapModule(name, realm, options(members, parts.folder), parts.users)


def options(members: Members, folder: Path) -> Options:
    """What a document says; what is wrong with it goes to ``members.problems``."""
    start_tls = members.flag("starttls")
    servers = reading.servers(members, start_tls)
    logins = reading.attributes(members, "login_attributes", ("uid",))
    bases = reading.bases(members, "search_bases")
    if not bases:
        members.wrong("search_bases", "name at least one entry below which people are looked for")
    domains = reading.domains(members)
    forms = reading.forms(members, bool(domains))
    attributes = reading.profile(members)
    binary = frozenset(each.lower() for each in members.texts("binary_attributes"))
    timeout = members.whole("timeout", DEFAULT_TIMEOUT_SECONDS)
    if not 1 <= timeout <= MAX_TIMEOUT_SECONDS:
        members.wrong("timeout", f"write whole seconds from 1 to {MAX_TIMEOUT_SECONDS}")
    return Options(
        servers=servers,
        start_tls=start_tls,
        tls=_tls(members, folder),
        account=_account(members, folder),
        mode=reading.choice(members, "mode", Mode, Mode.LOGIN),
        forms=forms,
        bases=bases,
        scope=SCOPES[reading.word(members, "scope", tuple(SCOPES), "subtree")],
        login_attributes=logins,
        filter=reading.search_filter(members, forms),
        upn_attribute=reading.attribute(members, "upn_attribute", "userPrincipalName"),
        account_attribute=reading.attribute(members, "account_attribute", "sAMAccountName"),
        sid_attribute=reading.attribute(members, "sid_attribute", "objectSid"),
        domains=domains,
        default_domains=reading.default_domains(members, domains),
        name_attribute=reading.attribute(members, "name_attribute", logins[0], or_dn=True),
        attributes=attributes,
        binary=BINARY | binary,
        enabled_by=reading.condition(members, "enabled_by"),
        disabled_by=reading.condition(members, "disabled_by"),
        groups=_groups(members, bases),
        decoy_dn=reading.dn(members, "decoy_dn"),
        lookup_attribute=members.text("lookup_attribute"),
        link_local_users=members.flag(LINK),
        timeout=float(timeout),
    )


def _tls(members: Members, folder: Path) -> ssl.SSLContext:
    """Always one that checks certificates and names, by the system's authorities or a file's."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority = reading.file(members, "ca_file", folder)
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError):
            members.wrong("ca_file", "it is no readable file of certificates in PEM")
    certificate = reading.file(members, "client_certificate_file", folder)
    key = reading.file(members, "client_key_file", folder)
    if bool(certificate) != bool(key):
        members.wrong("client_key_file", "write client_certificate_file and client_key_file, both")
    elif certificate:
        try:
            context.load_cert_chain(certificate, key, password="")  # never ask the terminal
        except (OSError, ssl.SSLError):
            members.wrong(
                "client_certificate_file",
                "it and the key are no readable PEM files that belong together, without passphrase",
            )
    return context


def _account(members: Members, folder: Path) -> Account:
    bind = reading.choice(members, "bind", Bind, Bind.SIMPLE)
    dn, password = reading.dn(members, "bind_dn"), members.secret("bind_password")
    if bind is Bind.SIMPLE:
        for key, given in (("bind_dn", bool(dn)), ("bind_password", password is not None)):
            if not given:
                members.wrong(
                    key, 'a search needs the broker\'s own account; or write bind = "anonymous"'
                )
    elif dn or password is not None:
        members.wrong("bind_dn", f'bind = "{bind}" uses neither bind_dn nor bind_password')
    if bind is Bind.EXTERNAL and not (
        members.given("client_certificate_file") or _only_sockets(members)
    ):
        members.wrong(
            "bind", 'bind = "external" needs client_certificate_file, or servers on ldapi://'
        )
    if bind is Bind.GSSAPI:
        try:
            gssapi()
        except ImportError:
            members.wrong("bind", "Kerberos needs a library: pip install 'remint[kerberos]'")
    return Account(
        bind,
        dn,
        password,
        reading.file(members, "keytab_file", folder),
        members.text("bind_principal"),
    )


def _only_sockets(members: Members) -> bool:
    return all(each.startswith("ldapi:") for each in members.texts("servers"))


def _groups(members: Members, bases: tuple[str, ...]) -> Groups:
    section = members.section("groups")
    section.only("from", "search_bases", "nested", "member_attribute", "name_attribute", "profile")
    if not members.given("groups"):
        return Groups()
    return Groups(
        source=reading.choice(section, "from", Source, Source.MEMBER_OF),
        bases=reading.bases(section, "search_bases") or bases,
        nested=section.flag("nested") if section.given("nested") else True,
        attribute=reading.attribute(section, "member_attribute", "member"),
        name=reading.attribute(section, "name_attribute", "cn", or_dn=True),
        profile=section.text("profile", "groups"),
    )
