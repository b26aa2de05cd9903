"""Token type to handler: one dictionary each way, and one claimant for each type."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from broker.errors import UnsupportedTokenType
from broker.instance import Instance
from broker.model import TokenType
from broker.policy import shown
from broker.ports import TokenProvider, TokenValidator

MakeValidator = Callable[[TokenType, str], TokenValidator]
MakeProvider = Callable[[TokenType, str], TokenProvider]
"""From a custom token type and the name of its plug-in to its handler."""


class Registry:
    """Raises ValueError at start-up if two handlers claim one type.

    ``custom_validator`` and ``custom_provider`` make the handlers of the token types that an
    instance adds for itself; a type that is registered is never one of them.
    """

    def __init__(
        self,
        validators: Iterable[TokenValidator],
        providers: Iterable[TokenProvider],
        *,
        custom_validator: MakeValidator | None = None,
        custom_provider: MakeProvider | None = None,
    ) -> None:
        self._validators: dict[TokenType, TokenValidator] = {}
        self._providers: dict[TokenType, TokenProvider] = {}
        self._custom_validator = custom_validator
        self._custom_provider = custom_provider
        for validator in validators:
            if validator.token_type in self._validators:
                raise ValueError(f"two validators claim {validator.token_type}")
            self._validators[validator.token_type] = validator
        for provider in providers:
            if provider.token_type in self._providers:
                raise ValueError(f"two providers claim {provider.token_type}")
            self._providers[provider.token_type] = provider

    @property
    def inputs(self) -> frozenset[TokenType]:
        return frozenset(self._validators)

    @property
    def outputs(self) -> frozenset[TokenType]:
        return frozenset(self._providers)

    def validator(self, token_type: TokenType) -> TokenValidator:
        """Raises UnsupportedTokenType."""
        found = self._validators.get(token_type)
        if found is None:
            raise UnsupportedTokenType(f"unsupported input token type {shown(token_type)}")
        return found

    def validator_for(self, instance: Instance, token_type: TokenType) -> TokenValidator:
        """That of the type, or of the instance's custom type. Raises UnsupportedTokenType."""
        name = instance.custom_validators.get(token_type)
        if name is None or token_type in self._validators or self._custom_validator is None:
            return self.validator(token_type)
        return self._custom_validator(token_type, name)

    def provider(self, token_type: TokenType) -> TokenProvider:
        """Raises UnsupportedTokenType."""
        found = self._providers.get(token_type)
        if found is None:
            raise UnsupportedTokenType(f"unsupported output token type {shown(token_type)}")
        return found

    def provider_for(self, instance: Instance, token_type: TokenType) -> TokenProvider:
        """That of the type, or of the instance's custom type. Raises UnsupportedTokenType."""
        name = instance.custom_providers.get(token_type)
        if name is None or token_type in self._providers or self._custom_provider is None:
            return self.provider(token_type)
        return self._custom_provider(token_type, name)
