"""What is known of a translation before its token is touched."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import field
from typing import Any

from broker.batch import Shared
from broker.instance import Instance
from broker.model import Principal, TranslationRequest
from broker.ports import TokenProvider
from broker.route import Route
from broker.value import value


@value
class Plan:
    """What phase 4 found out. ``shared`` is set for a part of a batch, which stands there at
    ``index``."""

    request: TranslationRequest
    route: Route
    credential: Any = field(repr=False)
    options: Any
    shared: Shared | None = None
    index: int = 0

    @property
    def instance(self) -> Instance:
        return self.route.instance

    @property
    def provider(self) -> TokenProvider:
        return self.route.provider

    def validated(self, now: float) -> Awaitable[Principal]:
        """Who the credential speaks for. Raises what its validator raises."""
        route = self.route
        return route.validator.validate(self.credential, route.instance, now)
