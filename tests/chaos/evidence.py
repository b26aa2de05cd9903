"""What stands in store, audits, queues and at the brokers when a run is over and all is quiet."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika

from adapters.amqp.topology import DEAD, QUEUES
from adapters.keys.root_secret import RootSecret
from adapters.stores import open_stores
from broker.ports import TokenQuery
from tests.chaos.world import open_files
from tests.support.process import BrokerProcess
from tests.support.rabbitmq import RabbitMQ
from tests.support.sharing import ROOT_SECRET

EVENTS = "remint.events"
EVENTS_QUEUE = "chaos.events"
PAGE = 1000
FAR_SECONDS = 1e6
QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.5
OUTBOX_SECONDS = 240.0
"""What a killed broker had taken up is taken up by another when its lease has run out; and what was
expected in a Redis and never came is forgotten after some minutes."""
EVENTS_SECONDS = 120.0
MORE_FILES = 10
"""By how much the open files of a broker may differ: connections that come and go."""


@dataclass
class Evidence:
    """Facts. ``audit`` has the lines of all brokers, ``records`` the stored token ids.

    ``dead`` are the message ids of the dead letters, ``queues`` the messages left in each queue.
    ``valid`` says for each key of a translation what every broker asked said of its token.
    ``events`` are CloudEvents, None while the brokers announce none. ``outbox``
    has the announcements that are not out.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    records: set[str] = field(default_factory=set)
    dead: list[str] = field(default_factory=list)
    queues: dict[str, int] = field(default_factory=dict)
    valid: dict[str, list[bool]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    events: list[dict[str, Any]] | None = None
    outbox: list[str] = field(default_factory=list)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Open files of each broker before the load and after it."""
    exits: dict[str, list[int]] = field(default_factory=dict)
    """How the processes of each component ended."""


def audit_lines(paths: list[Path]) -> list[dict[str, Any]]:
    """All whole lines; the last of a killed broker may be torn."""
    found = []
    for path in paths:
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


async def stored_tokens(url: str) -> set[str]:
    """The ids of all token records, read through the port."""
    stores = await open_stores(url, RootSecret(bytes.fromhex(ROOT_SECRET)))
    found: set[str] = set()
    try:
        after = None
        while page := await stores.tokens.query(TokenQuery(after=after, limit=PAGE)):
            found.update(record.token_id for record in page)
            after = page[-1].alias
    finally:
        await stores.close()
    return found


async def outbox_left(url: str) -> list[str]:
    """The announcements that still wait to get out, when all are out or patience is over."""
    stores = await open_stores(url, RootSecret(bytes.fromhex(ROOT_SECRET)))
    loop = asyncio.get_running_loop()
    until = loop.time() + OUTBOX_SECONDS
    try:
        while await stores.outbox.size() and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        left = await stores.outbox.due(time.time() + FAR_SECONDS, FAR_SECONDS, PAGE)
        return [f"{each.type} {each.id}" for each in left]
    finally:
        await stores.close()


async def bind_events(url: str) -> bool:
    """A queue for all events; False if the brokers declare no exchange."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        try:
            exchange = await channel.get_exchange(EVENTS, ensure=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        queue = await channel.declare_queue(EVENTS_QUEUE, durable=True)
        await queue.bind(exchange, "#")
        return True


async def drained(url: str, queue: str) -> list[tuple[str | None, bytes]]:
    """Message ids and bodies of all that is in a queue, taken out of it."""
    found = []
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        taken = await channel.get_queue(queue)
        while (message := await taken.get(fail=False, no_ack=True)) is not None:
            found.append((message.message_id, message.body))
    return found


async def dead_letters(url: str) -> list[str]:
    return [message_id or "" for message_id, _ in await drained(url, DEAD)]


async def events(url: str) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in await drained(url, EVENTS_QUEUE)]


async def files(broker: BrokerProcess, baseline: int) -> int:
    """A broker's open files, once they are no more than they may be or patience is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + QUIET_SECONDS
    while True:
        found = open_files(broker)
        if found <= baseline + MORE_FILES or loop.time() > until:
            return found
        await asyncio.sleep(LOOK_SECONDS)


async def all_events(
    url: str, missing: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The events, once none is ``missing`` among them or patience is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + EVENTS_SECONDS
    found = await events(url)
    while missing(found) and loop.time() < until:
        await asyncio.sleep(LOOK_SECONDS)
        found += await events(url)
    return found


def lengths(server: RabbitMQ) -> dict[str, int]:
    """Messages of each of our queues, those in somebody's hands included; the dead ones not."""
    said = server.control("list_queues", "--quiet", "--no-table-headers", "name", "messages")
    found: dict[str, int] = defaultdict(int)
    for line in said.splitlines():
        name, _, number = line.partition("\t")
        if name in QUEUES and name != DEAD:
            found[name] = int(number)
    return dict(found)


async def quiet(server: RabbitMQ) -> dict[str, int]:
    """The lengths once they are all 0, or those that are left when patience is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + QUIET_SECONDS
    while True:
        found = await asyncio.to_thread(lengths, server)
        if not any(found.values()) or loop.time() > until:
            return found
        await asyncio.sleep(LOOK_SECONDS)
