"""Connecting to a directory: plain, by TLS or StartTLS, or to a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, MutableSet

from adapters.authentication.modules.ldap.connection import Address, Connection, Lost
from adapters.nearness import is_near

MAX_ADDRESSES = 8
"""Of one host that are tried."""


async def connected(
    address: Address,
    context: ssl.SSLContext | None,
    *,
    start_tls: bool,
    opened: MutableSet[Connection] | None = None,
) -> Connection:
    """A connection that nobody is bound on yet; encrypted, where ``context`` is not None.

    It is among ``opened`` until its socket is closed.

    Raises Lost; a cancelled call leaves nothing open.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(opened)
    async with _closed_on_failure(connection):
        try:
            if address.path:
                await loop.create_unix_connection(lambda: connection, address.path)
            else:
                await _reached(connection, address, context)
            if start_tls and context is not None and not address.path and not address.tls:
                await connection.start_tls(context, address.host)
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"its certificate is not accepted: {error.verify_message}") from None
        except OSError as error:
            raise Lost(f"no connection: {error.strerror or type(error).__name__}") from None
        except UnicodeError:
            raise Lost("no connection: its name is none that can be looked up") from None
    return connection


async def _reached(
    connection: Connection, address: Address, context: ssl.SSLContext | None
) -> None:
    """Connect to the first of a host's addresses that accepts. Raises Lost and OSError."""
    loop = asyncio.get_running_loop()
    tls = context if address.tls else None
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    hosts = list(dict.fromkeys(str(place[0]) for *_, place in found))[:MAX_ADDRESSES]
    if not is_near(address.host) and any(map(is_near, hosts)):
        raise Lost("its name leads to this machine: write localhost or the address")
    for host in hosts:
        try:
            await loop.create_connection(
                lambda: connection,
                host,
                address.port,
                ssl=tls,
                server_hostname=address.host if tls else None,
            )
            return
        except ssl.SSLError:
            raise
        except OSError:
            if host == hosts[-1]:
                raise


@contextlib.asynccontextmanager
async def _closed_on_failure(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
