"""Queues, exchanges and topics as AsyncAPI 3.0 channels, by the names that the transports use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from adapters.amqp import message as amqp_message
from adapters.amqp import topology
from adapters.messages import asked
from adapters.mqtt import topics
from adapters.schema import bodies

Document = dict[str, Any]

RABBITMQ: Final = "rabbitmq"
MQTT: Final = "mqtt"
AMQP_BINDING_VERSION = "0.3.0"
VHOST = "/"

EVENT: Final = "event"
DEAD_LETTER: Final = "deadLetter"

QUEUE_OF: Mapping[str, str] = MappingProxyType(
    {
        asked.TRANSLATE: topology.REQUESTS,
        asked.TRANSLATE_BATCH: topology.BATCHES,
        asked.VALIDATE: topology.CONTROL,
        asked.CANCEL: topology.CONTROL,
        asked.RESULT: topology.CONTROL,
    }
)
"""Each type of request by the queue that it belongs to."""

_REALM = (
    f"The realm of the instance; {topics.ROOT} is the root realm. A nested realm takes a level for "
    f"each of its names, up to {topics.MAX_REALM_DEPTH}."
)
_USER = (
    "Who asks, held to the login by the message server's access list; "
    f"{topics.ANONYMOUS} where that is allowed."
)


@dataclass(frozen=True, slots=True)
class Way:
    """How one type of request travels: the names of its channel and of the channel of answers.

    ``prefix`` stands before the names of its messages.
    """

    request: str
    channel: str
    replies: str
    prefix: str


def ways() -> list[Way]:
    """Every type of request by every message server."""
    return [
        *(Way(request, queue, "remint.reply", "amqp.") for request, queue in QUEUE_OF.items()),
        *(
            Way(request, f"mqtt.{operation}", "mqtt.reply", "mqtt.")
            for operation, request in topics.OPERATIONS.items()
        ),
    ]


def channels() -> dict[str, Document]:
    """Every channel by its name in the document."""
    return {**_queues(), **_topics()}


def _queues() -> dict[str, Document]:
    requests: dict[str, list[str]] = {}
    for request, queue in QUEUE_OF.items():
        requests.setdefault(queue, []).append(f"amqp.{request}")
    says = {
        topology.REQUESTS: "Requests for one token each.",
        topology.BATCHES: "Requests for many tokens each.",
        topology.CONTROL: "Validations, cancellations, and questions for earlier answers.",
        topology.EXPIRED: "Requests that expired while they waited; each is answered with a 408.",
        topology.DEAD: "What could not be handled, for an operator to look at; never a body.",
    }
    found = {
        queue: _channel(
            RABBITMQ,
            queue,
            says.get(queue, ""),
            requests.get(queue, [f"amqp.{DEAD_LETTER}"]),
            bindings=_queue_binding(queue),
        )
        for queue in topology.QUEUES
        if queue != topology.EXPIRED  # RabbitMQ alone writes there, and the broker alone reads
    }
    found["remint.reply"] = _channel(
        RABBITMQ,
        None,
        f"The queue that reply_to names: {amqp_message.SERVER_NAMED_PREFIX}*, "
        f"{amqp_message.DIRECT_REPLY}, or {amqp_message.REPLY_PREFIX}<user>.<word>.",
        _answers("amqp."),
    )
    found[topology.EVENTS] = _channel(
        RABBITMQ,
        topology.EVENTS,
        "What has happened. Routing keys are the event's type, the realm, and the element.",
        [f"amqp.{EVENT}"],
        bindings={
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": topology.EVENTS,
                    "type": topology.EXCHANGES[topology.EVENTS].value,
                    "durable": True,
                    "autoDelete": False,
                    "vhost": VHOST,
                },
                "bindingVersion": AMQP_BINDING_VERSION,
            }
        },
    )
    return found


def _topics() -> dict[str, Document]:
    user = {"user": {"description": _USER}}
    place = {
        "realm": {"description": _REALM},
        "element": {"description": "The URL element of the instance."},
    }
    found = {
        f"mqtt.{operation}": _channel(
            MQTT,
            f"{topics.PREFIX}/{{realm}}/{{element}}/{operation}/{{user}}",
            f"Requests of type {request}, with QoS 1, not retained.",
            [f"mqtt.{request}"],
            parameters={**place, **user},
        )
        for operation, request in topics.OPERATIONS.items()
    }
    found["mqtt.reply"] = _channel(
        MQTT,
        f"{topics.REPLIES}/{{user}}/{{name}}",
        "The topic that the Response Topic names: below the requester's own.",
        _answers("mqtt."),
        parameters={**user, "name": {"description": "One or more levels, as the requester likes."}},
    )
    found["mqtt.events"] = _channel(
        MQTT,
        f"{topics.EVENTS}/{{type}}",
        "What has happened, with QoS 1.",
        [f"mqtt.{EVENT}"],
        parameters={"type": {"description": "The event's type, such as token.issued."}},
    )
    found["mqtt.dead"] = _channel(
        MQTT,
        topics.DEAD,
        "What could not be handled, for an operator to look at; never a body.",
        [f"mqtt.{DEAD_LETTER}"],
    )
    return found


def _answers(prefix: str) -> list[str]:
    names = {name: None for answers in bodies.ANSWERS.values() for name in answers}
    return [prefix + name for name in names]


def _channel(
    server: str,
    address: str | None,
    description: str,
    messages: Iterable[str],
    **more: Document,
) -> Document:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        **more,
    }


def _queue_binding(queue: str) -> Document:
    return {
        "amqp": {
            "is": "queue",
            "queue": {
                "name": queue,
                "durable": True,
                "exclusive": False,
                "autoDelete": False,
                "vhost": VHOST,
            },
            "bindingVersion": AMQP_BINDING_VERSION,
        }
    }
