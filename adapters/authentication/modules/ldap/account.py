"""How the broker itself logs in to a directory, to search."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from types import ModuleType
from typing import Any

from adapters.authentication.modules.ldap.connection import Connection, Lost
from adapters.authentication.modules.ldap.options import Account, Bind
from adapters.authentication.modules.ldap.protocol import Code, Result
from adapters.authentication.modules.ldap.servers import AccountRefused
from adapters.authentication.modules.ldap.verdicts import REFUSED, refusal

MAX_SASL_STEPS = 10
NO_SECURITY_LAYER = b"\x01\x00\x00\x00"  # RFC 4752 section 3.1: TLS protects the connection


async def log_in(connection: Connection, account: Account, host: str) -> None:
    """Bind a fresh connection as the broker's account. Raises Lost, AccountRefused."""
    if account.bind is Bind.ANONYMOUS:
        return
    if account.bind is Bind.SIMPLE:
        password = account.password.reveal() if account.password else ""
        result = await connection.bind(account.dn, password)
    elif account.bind is Bind.EXTERNAL:
        result = await connection.sasl("EXTERNAL", b"")
    else:
        result = await _kerberos(connection, account, host)
    if result.code == Code.SUCCESS and refusal(result) is None:
        return
    why = refusal(result) or "no reason given"
    if result.code == Code.SUCCESS or result.code in REFUSED:
        raise AccountRefused(f"it refuses the broker's own account: {why}")
    raise Lost(f"it cannot check the broker's own account (result code {result.code})")


def gssapi() -> ModuleType:
    """The library for Kerberos. Raises ImportError where it, or what it stands on, is missing."""
    return importlib.import_module("gssapi")


async def _kerberos(connection: Connection, account: Account, host: str) -> Result:
    """SASL GSSAPI (RFC 4752). Tickets are fetched in a thread, since that may wait for a KDC."""
    library = gssapi()
    try:
        context = await asyncio.to_thread(_context, library, account, host)
        token: bytes | None = await asyncio.to_thread(context.step, None)
        for _ in range(MAX_SASL_STEPS):
            result = await connection.sasl("GSSAPI", token or b"")
            if result.code != Code.SASL_IN_PROGRESS:
                return result
            if context.complete:
                token = _layer(context, result.sasl or b"")
            else:
                token = await asyncio.to_thread(context.step, result.sasl)
    except library.exceptions.GSSError as error:
        raise Lost(f"Kerberos does not work: {error.gen_message()}") from None
    raise Lost("SASL does not come to an end")


def _context(library: ModuleType, account: Account, host: str) -> Any:
    service = library.Name(f"ldap@{host}", library.NameType.hostbased_service)
    store = None
    if account.keytab:
        # Tickets are kept apart by whose they are: a cache of one name is the whole process's.
        kept = hashlib.sha256(f"{account.principal}\0{account.keytab}".encode()).hexdigest()
        store = {"client_keytab": account.keytab, "ccache": f"MEMORY:remint-{kept}"}
    name = library.Name(account.principal, library.NameType.user) if account.principal else None
    credentials = library.Credentials(name=name, store=store, usage="initiate")
    return library.SecurityContext(name=service, creds=credentials, usage="initiate")


def _layer(context: Any, offered: bytes) -> bytes:
    """The last step: which layer protects what follows. None of SASL's does."""
    layers = context.unwrap(offered).message
    if len(layers) != len(NO_SECURITY_LAYER) or not layers[0] & NO_SECURITY_LAYER[0]:
        raise Lost("it insists on a security layer of SASL; use TLS instead")
    return bytes(context.wrap(NO_SECURITY_LAYER, False).message)
