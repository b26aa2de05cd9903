"""A small world for each kind of module: its server, what it knows, and evidence good and bad."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from broker.model import OPENAM, OPENIDCONNECT, X509
from tests.authentication import am_server
from tests.authentication.totp_asking import STEP, administer, enrolled
from tests.authentication.world import Servers, Showing, Shown, World, showing
from tests.http.presenting import ACCOUNT, NOT_TRUSTED
from tests.support import freeradius, slapd
from tests.support.door import Door, session_input, user_input
from tests.support.issuers import FOREIGN, id_token, token_input, trust
from tests.support.kdc import REALM, Client
from tests.support.pki import INPUT, accept, root
from tests.support.planted import USER_PASSWORD

MAIL = ("demo@example.com",)
ADA_MAIL = ("ada@example.com", "countess@example.com")
ALICE = "auth://tested#alice"
ENDED = "the session is not known, or it has ended"
OTHER_AUDIENCE = "the ID token is for somebody else: its aud is none of those trusted"
PATIENT = "timeout = 30\n"

Making = Callable[[Servers], AbstractAsyncContextManager[World]]
MAKING: dict[str, Making] = {}


def _kind(name: str) -> Callable[[Callable[[Servers], World]], None]:
    """Registers the world of a kind that needs no server but those that run."""

    def register(make: Callable[[Servers], World]) -> None:
        @asynccontextmanager
        async def making(servers: Servers) -> AsyncIterator[World]:
            yield make(servers)

        MAKING[name] = making

    return register


def _password(name: str, password: str) -> tuple[Showing, Showing]:
    """The right one and a wrong one."""
    return showing(user_input(password, name)), showing(user_input("wrong", name))


@_kind("files")
def _files(servers: Servers) -> World:
    right = _password("demo", USER_PASSWORD)
    return World('kind = "files"\n', "demo", *right, values=MAIL, methods=("pwd",))


@_kind("ldap")
def _ldap(servers: Servers) -> World:
    assert servers.slapd is not None
    keys = f"""
kind = "ldap"
servers = ["{servers.slapd.url}"]
bind_dn = "{slapd.SERVICE_DN}"
bind_password = "{slapd.SERVICE_PASSWORD}"
search_bases = ["{slapd.PEOPLE}"]
attributes = ["mail"]
{PATIENT}"""
    right = _password("ada", slapd.ADA_PASSWORD)
    return World(
        keys, "ada", *right, values=ADA_MAIL, methods=("pwd",), account="auth://tested#ada"
    )


def _radius_keys(servers: Servers) -> str:
    assert servers.radius is not None
    address = json.dumps([servers.radius.address])
    return f'kind = "radius"\nservers = {address}\nsecret = "{freeradius.SECRET}"\n{PATIENT}'


@_kind("radius")
def _radius(servers: Servers) -> World:
    keys = _radius_keys(servers) + 'attributes = { mail = "Class" }\n'
    right = _password("alice", freeradius.PASSWORDS["alice"])
    return World(keys, "alice", *right, values=("staff", "vpn"), methods=("pwd",), account=ALICE)


def _factor(keys: str, good: Showing, prepare: Any = None) -> World:
    """A second factor of the local user ``demo``, after the password."""
    return World(
        keys,
        "demo",
        good,
        showing({**user_input(), "otp": "000000"}),
        values=MAIL,
        methods=("pwd", "otp"),
        before=("DataStore",),
        prepare=prepare,
    )


@_kind("radius-otp")
def _radius_otp(servers: Servers) -> World:
    good = showing({**user_input(), "otp": freeradius.PASSWORDS["demo"]})
    return _factor(_radius_keys(servers) + 'use = "otp"\n', good)


@_kind("totp")
def _totp(servers: Servers) -> World:
    apps = []

    async def enrol(door: Door) -> None:
        apps.append(await enrolled(door, servers.clock))

    async def good(door: Door) -> Shown:
        servers.clock.advance(STEP)
        return Shown({**user_input(), "otp": apps[0].code(servers.clock.at)})

    return _factor('kind = "totp"\n', good, enrol)


async def _passcode_given_out(door: Door) -> str:
    made = await administer(door, "POST", "demo/passcodes", "create", {"lifetime": 3600})
    assert made.status == 201, made.text
    door.planted.note(made.body["passcode"])
    return str(made.body["passcode"])


@_kind("passcode")
def _passcode(servers: Servers) -> World:
    async def good(door: Door) -> Shown:
        return Shown({**user_input(), "otp": await _passcode_given_out(door)})

    return _factor('kind = "passcode"\n', good)


@_kind("passcode-password")
def _passcode_instead(servers: Servers) -> World:
    async def good(door: Door) -> Shown:
        return Shown(user_input(await _passcode_given_out(door)))

    bad = showing(user_input())  # the user's own password is no passcode
    keys = 'kind = "passcode"\nuse = "password"\n'
    return World(keys, "demo", good, bad, values=MAIL, methods=("otp",))


@asynccontextmanager
async def _remote_am(servers: Servers) -> AsyncIterator[World]:
    async with am_server.serving() as am:
        keys = f'kind = "remote_am"\nurl = "{am.url}"\nattributes = ["mail"]\n{PATIENT}'
        right = _password("alice", am_server.PASSWORDS["alice"])
        mail = ("alice@am.example",)
        yield World(keys, "alice", *right, values=mail, methods=("pwd",), account=ALICE)


MAKING["remote_am"] = _remote_am


@_kind("certificate")
def _certificate(servers: Servers) -> World:
    anchor = root()
    alice, stranger = anchor.issue("alice"), root("Another").issue("alice")

    async def prepare(door: Door) -> None:
        await accept(door, anchor)

    return World(
        'kind = "certificate"\n',
        ACCOUNT,
        showing(INPUT, alice.head()),
        showing(INPUT, stranger.head()),
        values=("CN=alice",),
        attribute="dn",
        given=X509,
        sentence=NOT_TRUSTED,
        prepare=prepare,
    )


@_kind("oidc")
def _oidc(servers: Servers) -> World:
    said = {"mail": "alice@idp.example", "amr": ["pwd", "hwk"]}
    good = id_token(servers.clock.at, **said)
    bad = id_token(servers.clock.at, **said, aud="somebody-else")
    return World(
        'kind = "oidc"\n',
        FOREIGN,
        showing(token_input(good)),
        showing(token_input(bad)),
        values=("alice@idp.example",),
        methods=("pwd", "hwk"),
        given=OPENIDCONNECT,
        sentence=OTHER_AUDIENCE,
        prepare=trust,
    )


@_kind("session")
def _session(servers: Servers) -> World:
    async def good(door: Door) -> Shown:
        return Shown(session_input(await door.login()))

    bad = showing(session_input("a-session-of-nobody"))
    return World('kind = "session"\n', "demo", good, bad, values=MAIL, given=OPENAM, sentence=ENDED)


@_kind("header")
def _header(servers: Servers) -> World:
    keys = 'kind = "header"\nproxies = ["127.0.0.0/8"]\nattributes = { mail = "X-Remote-Mail" }\n'
    mail = {"X-Remote-Mail": "alice@portal.example"}
    return World(
        keys,
        "alice",
        showing({}, {**mail, "X-Remote-User": "alice"}),
        showing({}, {**mail, "X-Remote-User": "al%69ce"}),
        values=("alice@portal.example",),
        given=None,
        account=ALICE,
    )


@_kind("negotiate")
def _negotiate(servers: Servers) -> World:
    kdc = servers.kdc
    assert kdc is not None
    shutil.copy(kdc.folder / "http.keytab", servers.folder / "http.keytab")
    keys = f'kind = "negotiate"\nkeytab_file = "http.keytab"\nrealms = ["{REALM}"]\n{PATIENT}'

    def ticket(service: str) -> Showing:
        async def show(door: Door) -> Shown:
            token = Client(kdc.folder / "alice.ccache", service).token()
            return Shown(headers={"Authorization": f"Negotiate {base64.b64encode(token).decode()}"})

        return show

    return World(
        keys,
        "alice",
        ticket("HTTP@localhost"),
        ticket("ldap@localhost"),
        values=(f"alice@{REALM}",),
        attribute="krbPrincipalName",
        methods=("wia",),
        given=None,
        account=ALICE,
    )
