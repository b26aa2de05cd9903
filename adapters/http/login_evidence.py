"""What comes with a login over HTTP about who is asking."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping

from aiohttp import web

from adapters.authentication.header_names import folded
from adapters.http.call import Call
from broker.authentication import OTP_PROMPT, PASSWORD_PROMPT, USERNAME_PROMPT, Evidence
from broker.model import Secret

MAX_USERNAME_LENGTH = 256
MAX_PASSWORD_LENGTH = 1024
"""As in a translation; longer ones are nobody's."""


def evidence(
    call: Call,
    realm: str,
    now: float,
    *,
    wanted: Collection[str],
    username: str | None,
    password: Secret | None,
    answers: Mapping[str, Secret],
) -> Evidence:
    """``wanted`` are the headers that modules ask for. What prompts were answered with counts as
    if it had come at once."""
    given = answers.get(USERNAME_PROMPT.id)
    return Evidence(
        realm=realm,
        now=now,
        username=username if given is None else given.reveal(),
        password=answers.get(PASSWORD_PROMPT.id, password),
        otp=answers.get(OTP_PROMPT.id),
        headers=_headers(call.request, wanted),
        address=call.attempt.address,
        peer=call.request.remote,
        peer_certificate=_certificate(call.request),
        answers=answers,
    )


def overlong(username: str | None, password: Secret | None) -> bool:
    """Whether no module has to look at this."""
    return (username is not None and len(username) > MAX_USERNAME_LENGTH) or (
        password is not None and len(password.reveal()) > MAX_PASSWORD_LENGTH
    )


def _headers(request: web.Request, wanted: Collection[str]) -> dict[str, tuple[Secret, ...]]:
    """Those headers, and others whose names some servers take for the same, under their own."""
    if not wanted:
        return {}
    alike = {folded(name) for name in wanted}
    found: dict[str, list[Secret]] = {}
    for name, value in request.headers.items():
        if folded(name) in alike:
            found.setdefault(name.lower(), []).append(Secret(value))
    return {name: tuple(values) for name, values in found.items()}


def _certificate(request: web.Request) -> bytes | None:
    """What the peer connected with; TLS has verified it against ``http.tls_client_ca``."""
    connection = request.get_extra_info("ssl_object")
    if not isinstance(connection, ssl.SSLObject | ssl.SSLSocket):
        return None
    return connection.getpeercert(binary_form=True) or None
