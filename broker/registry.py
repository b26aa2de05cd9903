"""Token type to handler: one dictionary each way, and one claimant for each type."""

from __future__ import annotations

from collections.abc import Iterable

from broker.errors import UnsupportedTokenType
from broker.model import TokenType
from broker.policy import shown
from broker.ports import TokenProvider, TokenValidator


class Registry:
    """Raises ValueError at start-up if two handlers claim one type."""

    def __init__(
        self, validators: Iterable[TokenValidator], providers: Iterable[TokenProvider]
    ) -> None:
        self._validators: dict[TokenType, TokenValidator] = {}
        self._providers: dict[TokenType, TokenProvider] = {}
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

    def provider(self, token_type: TokenType) -> TokenProvider:
        """Raises UnsupportedTokenType."""
        found = self._providers.get(token_type)
        if found is None:
            raise UnsupportedTokenType(f"unsupported output token type {shown(token_type)}")
        return found
