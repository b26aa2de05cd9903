"""Values: compared by what they hold, and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots that is frozen for the type checker, and for nobody else.

    For the nouns that each request makes anew. ``frozen=True`` writes every member through
    ``object.__setattr__``, which takes twice as long; a translation has some twenty such objects.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
