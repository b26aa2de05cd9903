"""Which token types there are: the folders of this package, then installed plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from broker.ports import TokenProvider, TokenValidator
from handlers import Handlers, Ports

TOKEN_TYPES = (
    "handlers.username",
    "handlers.session",
    "handlers.x509",
    "handlers.jwt",
    "handlers.saml2",
    "handlers.opaque",
)

VALIDATOR_GROUP = "remint.validators"
PROVIDER_GROUP = "remint.providers"


class PluginError(Exception):
    """A plug-in that was installed cannot be used; the sentence names it."""


def handlers(ports: Ports) -> tuple[Handlers, ...]:
    """Every built-in token type, then every plug-in, made once for the process.

    A plug-in is an entry point of the group ``remint.validators`` or ``remint.providers``: a
    function that takes :class:`Ports` and returns a TokenValidator or a TokenProvider.

    Raises PluginError, so that a broker never starts with less than was installed.
    """
    builtin = [import_module(name).handlers(ports) for name in TOKEN_TYPES]
    validators = _plugins(VALIDATOR_GROUP, ports, ("token_type", "parse", "validate"))
    providers = _plugins(PROVIDER_GROUP, ports, ("token_type", "parse", "issue", "name"))
    return (
        *builtin,
        *(Handlers(validator=made) for made in validators),
        *(Handlers(provider=made) for made in providers),
    )


def validators(offered: Iterable[Handlers]) -> tuple[TokenValidator, ...]:
    """The validators among them, for the registry."""
    return tuple(each.validator for each in offered if each.validator is not None)


def providers(offered: Iterable[Handlers]) -> tuple[TokenProvider, ...]:
    """The providers among them, for the registry."""
    return tuple(each.provider for each in offered if each.provider is not None)


def _plugins(group: str, ports: Ports, needed: tuple[str, ...]) -> list[Any]:
    found = sorted(entry_points(group=group), key=lambda point: point.name)
    return [_made(point, ports, needed) for point in found]


def _made(point: EntryPoint, ports: Ports, needed: tuple[str, ...]) -> Any:
    where = f"the plug-in {point.name} ({point.value}) of {point.group}"
    try:
        factory: Callable[[Ports], Any] = point.load()
        made = factory(ports)
    except Exception as error:
        raise PluginError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    missing = [member for member in needed if not hasattr(made, member)]
    if missing:
        raise PluginError(f"{where} made an object without {', '.join(missing)}")
    return made
