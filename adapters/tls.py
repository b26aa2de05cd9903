"""TLS of the front door, as the settings name it."""

from __future__ import annotations

import ssl

from adapters.settings import Settings


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
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    return ""
