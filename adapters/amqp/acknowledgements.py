"""Acknowledgements of one channel: several in one frame where nothing older is still in work.

A frame costs about as much as what it is about, and requests that share a write of the audit, or a
confirm of RabbitMQ, end together.
"""

from __future__ import annotations

import asyncio

from aiormq.abc import AbstractChannel as RawChannel


class Acknowledgements:
    """Delivery tags are numbers from 1 on, one higher for each delivery of the channel (AMQP 0-9-1,
    section 3.1.2)."""

    def __init__(self, channel: RawChannel) -> None:
        self._channel = channel
        self._ended: list[int] = []
        self._sending = False
        self._settled = 0  # the server has heard of all tags up to this one
        self._settled_above: set[int] = set()

    async def acknowledge(self, tag: int) -> None:
        """Let the server forget a delivery. It may return before that is sent, while another call
        sends it. Raises what ended the channel."""
        self._ended.append(tag)
        if self._sending:
            return
        self._sending = True
        try:
            await asyncio.sleep(0)  # whatever ends in this turn of the loop comes along
            while self._ended:
                await self._send()
        finally:
            self._sending = False

    async def give_back(self, tag: int) -> None:
        """Let a delivery come again. Raises what ended the channel."""
        await self._channel.basic_nack(tag, requeue=True)
        self._settled_above.add(tag)

    async def _send(self) -> None:
        """One frame for all that ended with nothing older in work; one for each of the others."""
        ended, self._ended = self._ended, []
        self._settled_above.update(ended)
        while self._settled + 1 in self._settled_above:
            self._settled += 1
            self._settled_above.remove(self._settled)
        together = [tag for tag in ended if tag <= self._settled]
        if together:
            await self._channel.basic_ack(max(together), multiple=len(together) > 1)
        for tag in ended:
            if tag > self._settled:
                await self._channel.basic_ack(tag)
