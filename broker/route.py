"""What all requests of one pair of types to one instance have in common, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from broker import policy
from broker.instance import Instance, SigningKey, Transform
from broker.model import TokenType
from broker.ports import TokenProvider, TokenValidator
from broker.registry import Registry


@dataclass(frozen=True, slots=True)
class Terms:
    """What an instance says of the tokens of one type."""

    key: SigningKey | None
    lifetime_seconds: int
    claim_map: Mapping[str, str]
    persists: bool


class Route:
    """From one type to another at one instance, by whom. ``plugged`` says that a plug-in has a say
    in the output."""

    def __init__(
        self,
        instance: Instance,
        transform: Transform,
        validator: TokenValidator,
        provider: TokenProvider,
    ) -> None:
        self.instance = instance
        self.transform = transform
        self.validator = validator
        self.provider = provider
        self.plugged = transform.output in instance.plugged

    @cached_property
    def terms(self) -> Terms:
        """Raises CannotIssue; what was asked for is parsed before, and may be refused first."""
        instance, provider = self.instance, self.provider
        return Terms(
            key=provider.signing_key(instance),
            lifetime_seconds=provider.lifetime_seconds(instance),
            claim_map=provider.claim_map(instance),
            persists=provider.persists(instance),
        )


class Routes:
    """Routes by a registry's handlers. They are kept with their instance, which never changes, and
    are gone when it is: no more than it has transforms."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def route(self, instance: Instance, given: TokenType, wanted: TokenType) -> Route:
        """Raises UnsupportedTransform, UnsupportedTokenType."""
        key = (self, given, wanted)
        found: Route | None = instance.prepared.get(key)
        if found is None:
            found = instance.prepared[key] = Route(
                instance,
                policy.transform_offered(instance, given, wanted),
                self._registry.validator_for(instance, given),
                self._registry.provider_for(instance, wanted),
            )
        return found
