"""An event of the core as a CloudEvent 1.0 in the JSON event format, structured mode."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson

from adapters import pseudonyms
from adapters.events.catalogue import Kind, kind_of
from adapters.events.routing import routing_key
from broker.events import Event
from broker.model import ROOT_REALM, Announcement
from broker.ports import Clock

SPEC_VERSION = "1.0"

DUE_AFTER_SECONDS = 10.0
"""How long its maker has to let an announcement out before others take it up."""

ID_BYTES = 18

MAX_SOURCES = 256
"""Issuer URLs of realms that are not put together again."""


class CloudEvents:
    """Turns facts into announcements.

    ``url`` is the broker's public one. ``key`` makes ids and pseudonyms: without it nobody can
    tell whether a name he knows is behind one. ``plain`` leaves principals as they are.
    """

    def __init__(self, *, url: str, key: bytes, clock: Clock, plain: bool = False) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._clock = clock
        self._plain = plain

    def announcement(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement:
        """The announcement of ``event``; its id is the same whenever the same fact is announced."""
        kind = kind_of(event)
        id = self._id(kind, event)
        return Announcement(
            id=id,
            type=kind.name,
            routing_key=routing_key(kind.name, event.realm, getattr(event, "instance", None)),
            body=orjson.dumps(self._written(kind, id, event, trace or {})),
            due_at=self._clock.now() + DUE_AFTER_SECONDS,
            request=request,
            alias=alias,
        )

    def pseudonym(self, realm: str, principal: str) -> str:
        """The same for the same principal of a realm, and different in another realm."""
        return pseudonyms.principal(self._key, realm, principal)

    def _written(
        self, kind: Kind, id: str, event: Event, trace: Mapping[str, str]
    ) -> dict[str, Any]:
        data = dict(zip(kind.members, kind.values(event), strict=True))
        if "principal" in data and not self._plain:
            data["principal"] = self.pseudonym(event.realm, data["principal"])
        # A request that was refused before it was read concerns no instance.
        subject = {"subject": data[kind.subject]} if data[kind.subject] else {}
        return {
            "specversion": SPEC_VERSION,
            "id": id,
            "type": kind.type,
            "source": source(self._url, event.realm),
            **subject,
            "time": _time(event.at),
            "datacontenttype": "application/json",
            "dataschema": kind.schema_id,
            **trace,  # CloudEvents, extension "Distributed Tracing"
            "data": data,
        }

    def _id(self, kind: Kind, event: Event) -> str:
        if not kind.identity:
            return _text(secrets.token_bytes(ID_BYTES))
        identity = (str(getattr(event, name)) for name in kind.identity)
        return pseudonyms.keyed(self._key, kind.name, *identity, size=ID_BYTES)


@lru_cache(maxsize=MAX_SOURCES)
def source(url: str, realm: str) -> str:
    """The issuer URL of a realm."""
    path = quote(realm.encode(), safe="/")
    return url if realm == ROOT_REALM else f"{url}/oauth2/realms{path}"


def _time(at: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, micros = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_second(seconds)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()
