"""What is known of a translation before its token is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from broker.batch import Shared
from broker.instance import Instance, Transform
from broker.model import TranslationRequest
from broker.ports import TokenProvider, TokenValidator


@dataclass(frozen=True, slots=True)
class Plan:
    """What phase 4 found out. ``shared`` is set for a part of a batch."""

    request: TranslationRequest
    instance: Instance
    transform: Transform
    validator: TokenValidator
    provider: TokenProvider
    credential: Any = field(repr=False)
    options: Any
    shared: Shared | None = None
