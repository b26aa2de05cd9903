"""The library for Kerberos, which blocks: a token in, who sent it out."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, Unavailable

KERBEROS_OID = "1.2.840.113554.1.2.2"
NO_REPLAY_FILE = "none:"
"""Kept by the broker's own store instead, which all brokers share."""
NO_KEY = "Kerberos logins cannot be checked now; ask again shortly"


@dataclass(frozen=True, slots=True)
class Accepted:
    """``answer`` proves to the client that the broker has the key; empty where it did not ask.
    ``lifetime`` is the rest of the ticket's, in seconds."""

    principal: str
    lifetime: int
    answer: bytes = field(repr=False)


def gssapi() -> ModuleType:
    """Raises ImportError where the library, or what it stands on, is missing."""
    return importlib.import_module("gssapi")


def accept(keytab: Path, service: str, token: bytes) -> Accepted:
    """Check a token with the keys of a service in a keytab.

    Raises AuthenticationFailed, and Unavailable where there is no such key.
    """
    library = gssapi()
    try:
        name = library.Name(service, library.NameType.hostbased_service)
        store = {"keytab": f"FILE:{keytab}", "rcache": NO_REPLAY_FILE}
        credentials = library.Credentials(name=name, usage="accept", store=store)
    except library.exceptions.GSSError as error:
        raise Unavailable(NO_KEY, detail=f"no key of {service}: {error.gen_message()}") from None
    try:
        context = library.SecurityContext(creds=credentials, usage="accept")
        answer = context.step(token)
        if not context.complete or context.mech.dotted_form != KERBEROS_OID:
            raise AuthenticationFailed(FAILED, detail="it takes more than one step, or no Kerberos")
        return Accepted(str(context.initiator_name), int(context.lifetime), bytes(answer or b""))
    except library.exceptions.GSSError as error:
        raise AuthenticationFailed(FAILED, detail=f"Kerberos: {error.gen_message()}") from None
