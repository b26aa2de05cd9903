"""Where a login is looked for: by name, DN, user principal name, ``domain\\user`` or SID."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.authentication.modules.ldap import filters, names
from adapters.authentication.modules.ldap.options import Form, Options, sid
from adapters.authentication.modules.ldap.protocol import Scope

MAX_LOGIN_LENGTH = 256
MAX_PASSWORD_BYTES = 1024
EVERYBODY = filters.present("objectClass")


@dataclass(frozen=True, slots=True)
class Place:
    """One search."""

    base: str
    scope: Scope
    filter: bytes = field(repr=False)


def login_problem(login: str) -> str | None:
    """Why nobody is called so; None where somebody may be."""
    if not login.strip():
        return "the name is empty"
    if len(login) > MAX_LOGIN_LENGTH:
        return f"the name is longer than {MAX_LOGIN_LENGTH} characters"
    if not login.isprintable():
        return "the name has characters that are not printable"
    return None


def password_problem(password: str) -> str | None:
    """Why it is no password. An empty one binds nobody, and succeeds (RFC 4513, section 5.1.2),
    and a NUL ends a password where a directory is written in C."""
    if not password:
        return "the password is empty"
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        return "the password is no Unicode text"
    if size > MAX_PASSWORD_BYTES:
        return f"the password is longer than {MAX_PASSWORD_BYTES} bytes"
    return "the password has a NUL in it" if "\0" in password else None


def places(login: str, options: Options) -> tuple[Place, ...] | str:
    """The searches that find who logs in so, or why there are none."""
    forms = options.forms
    if Form.SID in forms and (octets := sid(login)) is not None:
        return _everywhere(filters.equal(options.sid_attribute, octets), login, options)
    if Form.DN in forms and "=" in login:
        return entry(login, options)
    if Form.DOMAIN in forms and "\\" in login:
        domain, _, name = login.partition("\\")
        return _in_domain(domain, name, options)
    if Form.UPN in forms and "@" in login:
        base = options.domains.get(login.rpartition("@")[2].casefold())
        # A mail address may be a name like any other.
        if base is not None or Form.NAME not in forms:
            return _in(base, filters.equal(options.upn_attribute, login), login, options)
    if Form.NAME not in forms:
        return "no form of login that this module takes"
    return _by_name(login, options)


def _by_name(login: str, options: Options) -> tuple[Place, ...]:
    if not options.default_domains:
        return _everywhere(_named(login, options), login, options)
    bases = [options.domains[domain] for domain in options.default_domains]
    return tuple(_place(base, _named(login, options), login, options) for base in bases)


def _in_domain(domain: str, name: str, options: Options) -> tuple[Place, ...] | str:
    if not name:
        return "there is no name behind the domain"
    wanted = filters.equal(options.account_attribute, name)
    return _in(options.domains.get(domain.casefold()), wanted, name, options)


def _in(base: str | None, wanted: bytes, login: str, options: Options) -> tuple[Place, ...] | str:
    if base is None:
        return "its domain is not one that this module allows"
    return (_place(base, wanted, login, options),)


def entry(login: str, options: Options) -> tuple[Place, ...] | str:
    """The search for an entry by its name, or why there is none."""
    if names.parsed(login) is None:
        return "the name is no distinguished name"
    if not any(names.below(login, base) for base in options.bases):
        return "the distinguished name is not below a search base"
    return (Place(login, Scope.BASE, _and(EVERYBODY, login, options)),)


def matching(wanted: bytes, options: Options) -> tuple[Place, ...]:
    """The searches for those whom a filter means, among all who may log in."""
    return _everywhere(wanted, "", options)


def _everywhere(wanted: bytes, login: str, options: Options) -> tuple[Place, ...]:
    return tuple(_place(base, wanted, login, options) for base in options.bases)


def _place(base: str, wanted: bytes, login: str, options: Options) -> Place:
    return Place(base, options.scope, _and(wanted, login, options))


def _named(login: str, options: Options) -> bytes:
    if options.filter is not None and options.filter.has_login:
        return EVERYBODY
    return filters.some([filters.equal(each, login) for each in options.login_attributes])


def _and(wanted: bytes, login: str, options: Options) -> bytes:
    if options.filter is None:
        return wanted
    return filters.every((wanted, options.filter.encoded(login)))
