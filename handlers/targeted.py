"""Has a type of input checked by whom the instance or its realm names, and not by ourselves."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

from broker.authentication import Authentication, AuthTargets, Evidence
from broker.instance import Instance
from broker.model import Principal, ReceivedToken, TokenType
from broker.output_options import AuthTarget
from broker.ports import TokenValidator

Shown = Callable[[Any], Mapping[str, Any]]
"""From the credential that a validator parsed to the members of ``Evidence`` that it is."""


class TargetedValidator:
    """Asks ``inner`` where neither chain nor module is named, which costs one look-up."""

    def __init__(self, inner: TokenValidator, targets: AuthTargets, shown: Shown) -> None:
        self._inner = inner
        self._targets = targets
        self._shown = shown
        self._type = inner.token_type

    @property
    def token_type(self) -> TokenType:
        return self._type

    def parse(self, token: ReceivedToken) -> Any:
        """Raises as the type's own validator does."""
        return self._inner.parse(token)

    def validate(
        self, credential: Any, instance: Instance, now: float
    ) -> Coroutine[Any, Any, Principal]:
        """Raises InvalidRequest where the realm lacks what is named, and what the type's own
        validator or ``Authentication.authenticate`` raises."""
        named = instance.auth_targets.get(self._type)
        target = self._targets.target(instance.realm, self._type, named)
        if target is None:
            return self._inner.validate(credential, instance, now)
        return self._asked(target, named, credential, instance, now)

    async def _asked(
        self,
        target: Authentication,
        named: AuthTarget | None,
        credential: Any,
        instance: Instance,
        now: float,
    ) -> Principal:
        def validate() -> Coroutine[Any, Any, Principal]:
            return self._inner.validate(credential, instance, now)

        evidence = Evidence(
            realm=instance.realm,
            now=now,
            tokens=MappingProxyType({self._type: validate}),
            context=named.context if named is not None else {},
            front_end=instance.url_element,
            **self._shown(credential),
        )
        identity, told = await target.authenticate(evidence)
        return identity.principal(instance.realm, self._type, now, told)
