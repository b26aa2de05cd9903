"""TLS of the front door, as the settings name it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.settings import Settings

ENCODING_DER = 2  # as OpenSSL's module numbers it


class CertificateUnusable(Exception):
    """The files that the settings name for TLS cannot be used."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What the settings say of TLS; None without it. Raises CertificateUnusable."""
    http = settings.http
    if http.tls != "on" or http.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(http.tls_certificate, http.tls_key, password=_no_password)
    except OSError as error:
        raise CertificateUnusable(
            f"cannot serve TLS with http.tls_certificate {http.tls_certificate} and "
            f"http.tls_key {http.tls_key}: {error.strerror or error}"
        ) from None
    if http.tls_client_ca is not None:
        _ask_for_certificates(context, http.tls_client_ca)
    return context


def chain_of(connection: Any) -> Sequence[bytes]:
    """What the peer sent, as DER, its own certificate first; empty where it sent none.

    Python makes it public in 3.13; before that the object inside has it.
    """
    if hasattr(connection, "get_unverified_chain"):
        return tuple(connection.get_unverified_chain())
    inner: Any = getattr(connection, "_sslobj", None)
    if not hasattr(inner, "get_unverified_chain"):
        return ()
    found = inner.get_unverified_chain()
    return tuple(each.public_bytes(ENCODING_DER) for each in found or ())


def _ask_for_certificates(context: ssl.SSLContext, path: Path) -> None:
    """Clients without one are served as ever; one that does not hang from ``path`` is refused in
    the handshake."""
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise CertificateUnusable(
            f"cannot use http.tls_client_ca {path}: {error.strerror or error}"
        ) from None
    context.verify_mode = ssl.CERT_OPTIONAL
    # A session that is resumed has the client's certificate and not its chain.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    return ""
