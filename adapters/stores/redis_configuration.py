"""Configuration that brokers share in Redis, sealed because it holds private keys."""

from __future__ import annotations

import hmac

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_instances import RedisInstances
from adapters.stores.redis_keys import CONFIGURATION, tag, text_of
from adapters.stores.sealing import opened, plain
from broker.model import Announcement


class RedisConfiguration:
    """ConfigurationStore. Its documents stand beside the instances, under one generation."""

    def __init__(
        self, commands: Commands, sealer: Sealer, digest_key: bytes, instances: RedisInstances
    ) -> None:
        self._commands = commands
        self._sealer = sealer
        self._digest_key = digest_key
        self._instances = instances

    async def generation(self) -> int:
        return await self._instances.generation()

    async def get(self, name: str) -> bytes | None:
        value = await self._commands.call("HGET", CONFIGURATION, _field(name))
        return None if value is None else self._read(_field(name), value)[1]

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        field = _field(name)
        written = b""
        if value is not None:
            told = plain([name]) + b"\n" + value
            sealed = self._sealer.seal(told, _context(field))
            written = f"{self._digest(value)} ".encode() + sealed
        status = await self._instances.changed(
            "swap_configuration",
            CONFIGURATION,
            (field, self._digest(expected), written),
            announcement,
        )
        return status == b"done"

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        flat = await self._commands.call("HGETALL", CONFIGURATION)
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        found = [self._read(field.decode(), value) for field, value in pairs]
        return {name: value for name, value in sorted(found) if name.startswith(prefix)}

    def _read(self, field: str, value: bytes) -> tuple[str, bytes]:
        """Name and document."""
        sealed = value.partition(b" ")[2]
        head, _, document = opened(self._sealer, sealed, _context(field)).partition(b"\n")
        (name,) = orjson.loads(head)
        return name, document

    def _digest(self, value: bytes | None) -> str:
        return "" if value is None else text_of(hmac.digest(self._digest_key, value, "sha256"))


def _field(name: str) -> str:
    return tag("configuration", name)


def _context(field: str) -> bytes:
    return plain(["configuration", field])
