"""The modules and chains of one realm, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from adapters.authentication import draft
from adapters.authentication.counted import CountedModule
from adapters.authentication.draft import MODULE, SERVICE, Document, Drafts
from adapters.authentication.held import AbsentModule, HeldModule
from adapters.authentication.principals.wrapping import Resolutions
from broker.authentication import Authentication, AuthModule
from broker.chains import Alone, Chain
from broker.errors import InvalidModule, InvalidRequest
from broker.model import OPENIDCONNECT, USERNAME, X509, TokenType
from broker.output_options import AuthTarget
from broker.policy import shown

BUILTIN_MODULES = {"DataStore": "files", "oidc": "oidc", "cert_module": "certificate"}
"""Modules that exports name, and the kinds that serve where a realm has none of the name."""

BUILTIN_CHAINS = {"ldapService": "DataStore"}
"""Chains that exports name, of one module each."""

OWN_VALIDATORS = {
    (SERVICE, "ldapService"): USERNAME,
    (MODULE, "DataStore"): USERNAME,
    (MODULE, "oidc"): OPENIDCONNECT,
    (MODULE, "cert_module"): X509,
}
"""Built-in targets that ask for nothing but what the broker's own validator of that type does."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Realm:
    """What one realm has, built-in targets included; ``own`` are the modules that it defines.

    ``instead`` is asked in the place of all others where nobody can tell what the realm has.
    """

    targets: Mapping[tuple[str, str], Authentication] = field(repr=False)
    defaults: Mapping[TokenType, AuthTarget]
    own: Mapping[str, tuple[Document, HeldModule]] = field(repr=False)
    chains: frozenset[str] = frozenset()
    instead: Authentication | None = field(default=None, repr=False)

    @classmethod
    def builtin(cls, drafts: Drafts) -> Realm:
        """What a realm has that defines nothing."""
        return cls.of("/", drafts, modules={}, chains={}, defaults={}, known=None)

    @classmethod
    def unreadable(cls) -> Realm:
        """Nobody gets in: what cannot be read may have asked for more than a password."""
        return cls({}, {}, {}, instead=Alone(AbsentModule("realm", "its document is broken")))

    @classmethod
    def of(
        cls,
        realm: str,
        drafts: Drafts,
        *,
        modules: Mapping[str, Document],
        chains: Mapping[str, Document],
        defaults: Mapping[str, Document],
        known: Realm | None,
    ) -> Realm:
        """A module whose document is that of one in ``known`` is that one, connections and all."""
        before = known.own if known is not None else {}
        own = {
            name: found
            if (found := before.get(name)) is not None and found[0] == document
            else (document, _held(realm, document, drafts))
            for name, document in modules.items()
        }
        named: dict[str, AuthModule] = {
            name: _made(realm, {"name": name, "kind": kind}, drafts)
            for name, kind in BUILTIN_MODULES.items()
        }
        resolutions = Resolutions(realm, own, drafts.parts.users)
        for name, (document, held) in own.items():
            named[name] = resolutions.module(held, document)
        kinds = {**BUILTIN_MODULES, **{name: str(own[name][0]["kind"]) for name in own}}
        named = {
            name: CountedModule(module, kinds[name], drafts.parts.metrics)
            for name, module in named.items()
        }
        targets: dict[tuple[str, str], Authentication] = {
            (MODULE, name): Alone(module) for name, module in named.items()
        }
        for name, module in BUILTIN_CHAINS.items():
            targets[SERVICE, name] = Alone(named[module])
        for name, document in chains.items():
            chain = _chain(name, document, named)
            targets[SERVICE, name] = resolutions.target(chain, document)
        return cls(targets, MappingProxyType(draft.defaults(defaults)), own, frozenset(chains))

    def target(self, named: AuthTarget | None, token_type: TokenType) -> Authentication | None:
        """None for the broker's own validator. Raises InvalidRequest."""
        if self.instead is not None:
            return self.instead
        named = named or self.defaults.get(token_type)
        if named is None:
            return None
        key = named.index_type, named.index_value
        if OWN_VALIDATORS.get(key) == token_type and not self._defines(*key):
            return None
        return self.named(named)

    def named(self, named: AuthTarget) -> Authentication:
        """The same with the built-in ones. Raises InvalidRequest."""
        found = self.targets.get((named.index_type, named.index_value))
        if found is None:
            raise InvalidRequest(_missing(named))
        return found

    def _defines(self, index_type: str, name: str) -> bool:
        return name in (self.chains if index_type == SERVICE else self.own)

    async def retire(self, successor: Realm | None) -> None:
        """End the modules that the next state of this realm does not have."""
        kept = {id(held) for _, held in successor.own.values()} if successor is not None else set()
        for _, held in self.own.values():
            if id(held) not in kept:
                await held.close()

    async def close(self) -> None:
        await self.retire(None)


def _chain(name: str, document: Document, named: Mapping[str, AuthModule]) -> Chain:
    """One that names what is not there lets nobody in; it cannot be written so."""
    absent = {
        each["module"]: AbsentModule(each["module"], "the realm has no such module")
        for each in document["modules"]
    }
    return Chain(name, draft.links(document, {**absent, **named}))


def _held(realm: str, document: Document, drafts: Drafts) -> HeldModule:
    return HeldModule(_made(realm, document, drafts))


def _made(realm: str, document: Document, drafts: Drafts) -> AuthModule:
    """The module, or one that lets nobody in where it cannot be made at this broker."""
    name = str(document["name"])
    try:
        return drafts.compiled(realm, document)
    except InvalidModule as error:
        why = error.sentence
    except Exception as error:  # whatever a plug-in does must not keep the others from their work
        why = f"its kind raised {type(error).__name__}"
    _log.error("an authentication module cannot be made here", realm=realm, module=name, why=why)
    return AbsentModule(name, why)


def _missing(named: AuthTarget) -> str:
    name = shown(named.index_value)
    if named.index_type == SERVICE:
        return (
            f"this realm has no authentication chain called {name}; write it with "
            "remint auth put, or PUT it to /json/authentication/chains"
        )
    if named.index_type == MODULE:
        return (
            f"this realm has no authentication module called {name}; write it with "
            "remint auth put, or PUT it to /json/authentication/modules"
        )
    return (
        f"an authentication target of the type {shown(named.index_type)} cannot be checked here; "
        "name a chain (service) or a module"
    )
