"""What settings ask of message servers: who takes requests there, and who takes events."""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable

from adapters.amqp.events import AmqpEvents
from adapters.amqp.transport import AmqpTransport
from adapters.components import Components
from adapters.events.channels import Channel, JournalChannel
from adapters.messages.asked import Decoder
from adapters.messages.breaker import Breaker, store_probe
from adapters.messages.dead_key import body_sealer
from adapters.messages.opening import SealedOpener
from adapters.messages.requesters import RequesterKeys
from adapters.messages.signed import SignedRequests
from adapters.messages.worker import Worker
from adapters.mqtt.address import MqttAddress, address
from adapters.mqtt.events import MqttEvents
from adapters.mqtt.names import Names
from adapters.mqtt.slots import Slots
from adapters.mqtt.transport import MqttTransport
from adapters.settings import Amqp, Mqtt, Settings, secret
from adapters.state_folder import CannotStart
from adapters.stores import MEMORY_URL, Stores
from broker.errors import InvalidRequest

MEMORY_SESSION_SECONDS = 60

OnAnswered = Callable[[], Awaitable[None]]


def transports(
    components: Components, stores: Stores, on_answered: OnAnswered | None
) -> tuple[AmqpTransport | None, MqttTransport | None]:
    """Those whose URL is set; what one hears of the store, the other knows. Raises CannotStart,
    and OSError for a file that cannot be read."""
    breaker = Breaker(store_probe(stores.ledger, components.clock))
    return (
        _amqp(components, stores, breaker, on_answered),
        _mqtt(components, stores, breaker, on_answered),
    )


def event_channels(settings: Settings, stores: Stores) -> list[Channel]:
    """Where events go. Each opens its connection when there is something to send."""
    channels: list[Channel] = []
    if settings.events.keep:
        channels.append(JournalChannel(stores.journal))
    if not settings.events.send:
        return channels
    amqp_url = secret(settings.amqp.url)
    if amqp_url is not None:
        channels.append(AmqpEvents(amqp_url))
    mqtt_server = _address(settings)
    if mqtt_server is not None:
        channels.append(MqttEvents(mqtt_server))
    return channels


def _amqp(
    components: Components,
    stores: Stores,
    breaker: Breaker,
    on_answered: OnAnswered | None,
) -> AmqpTransport | None:
    url = secret(components.settings.amqp.url)
    if url is None:
        return None
    return AmqpTransport(
        url=url,
        worker=_worker(components, components.settings.amqp, breaker),
        ledger=stores.ledger,
        clock=components.clock,
        digest_key=stores.deployment.key.derive("fingerprint"),
        prefetch=components.settings.amqp.prefetch,
        batch_prefetch=components.settings.amqp.batch_prefetch,
        control_prefetch=components.settings.amqp.control_prefetch,
        seal_body=body_sealer(components.settings.amqp.dead_letter_key),
        on_answered=on_answered,
    )


def _mqtt(
    components: Components,
    stores: Stores,
    breaker: Breaker,
    on_answered: OnAnswered | None,
) -> MqttTransport | None:
    settings = components.settings.mqtt
    server = _address(components.settings)
    if server is None:
        return None
    return MqttTransport(
        address=server,
        worker=_worker(components, settings, breaker),
        slots=Slots(
            ledger=stores.ledger,
            configuration=stores.configuration,
            clock=components.clock,
            owner=f"{os.getpid()}-{secrets.token_hex(8)}",
        ),
        names=Names(stores.deployment.key.derive("mqtt")),
        ledger=stores.ledger,
        clock=components.clock,
        digest_key=stores.deployment.key.derive("fingerprint"),
        prefetch=settings.prefetch,
        session_expiry=_session_expiry(components.settings),
        seal_body=body_sealer(components.settings.amqp.dead_letter_key),
        on_answered=on_answered,
    )


def _session_expiry(settings: Settings) -> int:
    """In seconds. Nobody could take up the sessions of a deployment that is forgotten with its
    process, so they must not be sent requests for long."""
    if settings.store_url == MEMORY_URL:
        return min(settings.mqtt.session_expiry, MEMORY_SESSION_SECONDS)
    return settings.mqtt.session_expiry


def _address(settings: Settings) -> MqttAddress | None:
    """Raises CannotStart, and OSError for a file of certificates that cannot be read."""
    url = secret(settings.mqtt.url)
    if url is None:
        return None
    try:
        return address(url, settings.mqtt.ca_file)
    except ValueError:
        raise CannotStart("mqtt.url names no port that there is") from None


def _worker(components: Components, rules: Amqp | Mqtt, breaker: Breaker) -> Worker:
    """What every message transport works with, under its own rules. Raises CannotStart."""
    opener = SealedOpener(
        components.keys.encryption,
        SignedRequests(
            _requester_keys(components.settings), audience=components.url, clock=components.clock
        ),
        require_encrypted=rules.require_encrypted_credentials,
        jwks_url=f"{components.url}/oauth2/jwks",
    )
    return Worker(
        decoder=Decoder(opener, allow_anonymous=rules.allow_anonymous),
        pipeline=components.pipeline,
        lifecycle=components.lifecycle,
        trail=components.trail,
        clock=components.clock,
        breaker=breaker,
    )


def _requester_keys(settings: Settings) -> RequesterKeys | None:
    path = settings.requesters.jwks_file
    if path is None:
        return None
    try:
        return RequesterKeys(path)
    except InvalidRequest as error:
        raise CannotStart(f"requesters.jwks_file: {error.sentence}") from None
