"""Announcements to whoever subscribes: one topic for each type of event."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from adapters.events.channels import CONTENT_TYPE, EventsNotSent
from adapters.mqtt.address import MqttAddress
from adapters.mqtt.client import MqttClient, nothing_expected
from adapters.mqtt.packets import FIRST_FAILURE, CannotConnect, UnconfirmedError, publish_properties
from adapters.mqtt.topics import EVENTS
from broker.model import Announcement


class MqttEvents:
    """A ``Channel`` to ``remint/v1/events/<type>``, on a connection of its own."""

    name = "mqtt"

    def __init__(self, address: MqttAddress) -> None:
        self._address = address
        self._client: MqttClient | None = None
        self._client_id = f"remint-events-{secrets.token_hex(16)}"

    async def send(self, announcements: Sequence[Announcement]) -> None:
        """Returns once each has its PUBACK. Raises EventsNotSent.

        That nobody subscribes is no failure.
        """
        try:
            client = await self._connected()
            codes = await asyncio.gather(*(_published(client, each) for each in announcements))
        except CannotConnect as error:
            raise EventsNotSent(f"the message server is not reached ({error})") from None
        except UnconfirmedError:
            await self.close()
            raise EventsNotSent("the message server did not confirm") from None
        if any(code >= FIRST_FAILURE for code in codes):
            raise EventsNotSent(f"the message server takes no events (reason code {max(codes)})")

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> MqttClient:
        if self._client is None or self._client.lost.is_set():
            await self.close()
            self._client = await MqttClient.open(
                self._address,
                self._client_id,
                receive_maximum=1,
                session_expiry=0,
                on_delivery=nothing_expected,
            )
        return self._client


async def _published(client: MqttClient, announcement: Announcement) -> int:
    properties = publish_properties(ContentType=CONTENT_TYPE, PayloadFormatIndicator=1)
    return await client.publish(f"{EVENTS}/{announcement.type}", announcement.body, properties)
