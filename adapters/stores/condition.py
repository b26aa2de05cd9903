"""What is known of a store beside its contents: what its word is worth, and whether it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


class StoreReplaced(Exception):
    """Another store stands where this broker's was; the broker has to be built anew."""


@dataclass(frozen=True, slots=True)
class Durability:
    """Whether what the store acknowledges survives the loss of power, and why not.

    ``settings`` are facts to show, without addresses or secrets; what nobody could find out is
    ``unknown``. Each of ``warnings`` is a sentence that an operator can act on; ``weaknesses`` are
    those for which ``durable`` is False. ``replicated`` stores can have replicas.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    replicated: bool = False

    @property
    def durable(self) -> bool:
        return not self.weaknesses

    @property
    def sentences(self) -> tuple[str, ...]:
        return (*self.weaknesses, *self.warnings)


MEMORY_ONLY = "memory:// keeps nothing beyond the end of this process"
IN_MEMORY = Durability({"kept": "memory"}, weaknesses=(MEMORY_ONLY,))
IN_FILE = Durability({"journal_mode": "wal", "synchronous": "full"})


class Condition:
    """Of a store that is there as long as this process is."""

    def __init__(self, durability: Durability) -> None:
        self.durability = durability

    @property
    def trouble(self) -> str | None:
        """Why nothing may be read from or written to the store, for callers; None if all is well.
        A store that merely cannot be reached is not in trouble."""
        return None

    async def replaced(self) -> None:
        """Ends only by StoreReplaced."""
        await asyncio.Event().wait()
