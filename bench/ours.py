"""Remint itself, started like a peer and asked the like requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import subjects
from bench.redis_server import redis_server
from bench.served import INSTANCE, PASSWORD, RSA_INSTANCE, USER, Broker, served
from bench.target import Likeness, Loaded
from bench.target.options import Input, Kind, Output, TargetOptions, target_from

NAME = "Remint"
MEMORY, SQLITE, REDIS = "memory", "sqlite", "redis"

REQUESTS: Mapping[str, tuple[Input, Output, str]] = {
    "jwt-to-rs256": (Input.OIDC, Output.OIDC, RSA_INSTANCE),
    "jwt-to-es256": (Input.OIDC, Output.OIDC, INSTANCE),
    "session-to-rs256": (Input.OPENAM, Output.OIDC, RSA_INSTANCE),
    "session-to-saml2": (Input.OPENAM, Output.SAML2, RSA_INSTANCE),
    "password-to-rs256": (Input.USERNAME, Output.OIDC, RSA_INSTANCE),
    "password-to-saml2": (Input.USERNAME, Output.SAML2, RSA_INSTANCE),
}
"""By the names of ``bench.peers.REQUESTS``: what comes in, what goes out, which instance."""

_INPUTS = {
    Input.OIDC: "JWT RS256, 2048 bit",
    Input.OPENAM: "session of the server's own",
    Input.USERNAME: "user name and password",
}
_VERIFIED = {
    Input.OIDC: "signature, issuer, audience, times",
    Input.OPENAM: "session, its user, its times",
    Input.USERNAME: "password, argon2id of 64 KiB and 1 pass",
}
_JWT_SIGNATURES = {"RS256": "RS256, 2048 bit, SHA-256", "ES256": "ES256, P-256, SHA-256"}
_XML_SIGNATURES = {
    "RS256": "RSA-SHA256, 2048 bit, digest SHA-256, exclusive C14N",
    "ES256": "ECDSA-SHA256, P-256, digest SHA-256, exclusive C14N",
}
_KEPT = {
    MEMORY: "record of each token, in memory",
    SQLITE: "record of each token, SQLite, synchronous=FULL",
    REDIS: "record of each token, Redis, appendfsync always",
}


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    store: str,
    workers: int = 1,
    sessions: int = 0,
    settings: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Loaded]]:
    """Started and answering; gone at the end. ``store`` is ``memory``, ``sqlite`` or ``redis``.

    ``sessions``: how many are logged in to take turns, 0 for one a request. ``settings`` are
    further ``REMINT_…`` variables. What it can be asked for comes by the names of
    ``bench.peers.REQUESTS``. Raises RedisMissing, NotServed, and ValueError for another store.
    """
    if store not in _KEPT:
        raise ValueError(f"there is no store {store}: use one of {', '.join(_KEPT)}")
    chosen = {"REMINT_WORKERS": str(workers), "REMINT_EVENTS__KEEP": "0", **(settings or {})}
    with contextlib.ExitStack() as stack:
        processes: dict[str, int] = {}
        url = "memory://" if store == MEMORY else f"sqlite:///{folder / 'remint.db'}"
        if store == REDIS:
            server = stack.enter_context(redis_server())
            url, processes["redis"] = server.url, server.pid
        broker = stack.enter_context(served(folder, url, chosen, sessions=0))
        processes["broker"] = broker.pid
        configuration = {**chosen, "store": store}
        yield {
            request: _loaded(request, broker, store, processes, configuration, sessions)
            for request in REQUESTS
        }


def _loaded(
    request: str,
    broker: Broker,
    store: str,
    processes: Mapping[str, int],
    configuration: Mapping[str, str],
    sessions: int,
) -> Loaded:
    given, wanted, instance = REQUESTS[request]
    options = TargetOptions(
        input=given,
        output=wanted,
        username=USER,
        password=PASSWORD,
        sessions=sessions,
        mint_key=broker.mint_key,
        mint_issuer=subjects.ISSUER,
        mint_audience=subjects.AUDIENCE,
        mint_subject=subjects.SUBJECT,
        quiet=True,
    )
    url = f"{broker.url}/rest-sts/{instance}?_action=translate"
    target = target_from(Kind.REST_STS, url, options)
    like = likeness(given, wanted, instance, store, sessions)
    return Loaded(NAME, target, processes, like, configuration)


def likeness(
    given: Input, wanted: Output, instance: str, store: str, sessions: int = 0
) -> Likeness:
    """What a figure of ours includes; ``store`` and ``sessions`` as in :func:`running`."""
    turns = f", {sessions} in turn" if sessions and given == Input.OPENAM else ""
    algorithm = "ES256" if instance == INSTANCE else "RS256"
    signatures = _JWT_SIGNATURES if wanted == Output.OIDC else _XML_SIGNATURES
    return Likeness(
        input=_INPUTS[given] + turns,
        output=f"ID token {algorithm}" if wanted == Output.OIDC else "SAML 2.0 assertion, bearer",
        client_authentication="none: the subject's token alone",
        verified=_VERIFIED[given],
        session_writes="last access, at most once a minute" if given == Input.OPENAM else "none",
        persistence=_KEPT[store],
        signature=signatures[algorithm],
        memory_limit="none",
        notes="audit log on",
    )
