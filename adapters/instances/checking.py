"""From a document to an instance: every rule, and every key that it names."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import structlog

from adapters.instances import forgerock, own_keys
from adapters.instances.own_keys import Problem, SharedKeys
from broker.errors import InvalidInstance, NotFound
from broker.instance import Instance, PlugInCheck, compiled
from broker.model import InstanceDocument, instance_id
from broker.option_rules import legacy_outputs
from broker.policy import shown
from broker.registry import Registry

FORMAT = "forgerock"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be stored, the same compiled, and the keys that it names."""

    document: InstanceDocument
    instance: Instance
    keys: own_keys.Opened


@dataclass(frozen=True, slots=True)
class Checking:
    """What documents are held to. ``realm_exists`` says whether an instance may live in a realm;
    ``revision_key`` is shared by the brokers of a store."""

    registry: Registry
    keys: SharedKeys
    realm_exists: Callable[[str], bool]
    allow_legacy: frozenset[str]
    plug_in_problem: PlugInCheck
    revision_key: bytes = field(repr=False)

    async def checked(self, state: Mapping[str, Any], missing: Iterable[Problem] = ()) -> Checked:
        """What is to be published; ``missing`` is what is wrong with it already.

        Raises InvalidInstance with all that is wrong, and NotFound for the realm.
        """
        draft, problems = forgerock.decode(state)
        problems = [*problems, *missing, *self._broken_rules(draft, self.plug_in_problem)]
        found = await own_keys.opened(self.keys, draft)
        problems += [forgerock.named(problem) for problem in found.problems]
        if problems:
            raise InvalidInstance(list(dict.fromkeys(problems)))
        if not self.realm_exists(draft.realm):
            raise NotFound(f"there is no realm {shown(draft.realm)}")
        document = InstanceDocument(
            id=instance_id(draft.realm, draft.url_element),
            realm=draft.realm,
            revision=_revision(state, self.revision_key),
            format=FORMAT,
            body=state,
        )
        weak = legacy_outputs(draft.saml2, draft.oidc)
        if weak:
            _log.warning("an instance asks for weak output", instance=document.id, legacy=weak)
        return Checked(document, draft, found)

    def compiled(self, document: InstanceDocument) -> Instance:
        """A stored instance. A plug-in that is gone since is the trouble of its requests alone.

        Raises InvalidInstance.
        """
        draft, problems = forgerock.decode(document.body)
        problems += self._broken_rules(draft, _any_plug_in)
        if problems:
            raise InvalidInstance(problems)
        return replace(draft, revision=document.revision)

    def _broken_rules(self, draft: Instance, plug_in_problem: PlugInCheck) -> list[Problem]:
        try:
            compiled(
                draft,
                known_inputs=self.registry.inputs,
                known_outputs=self.registry.outputs,
                allow_legacy=self.allow_legacy,
                plug_in_problem=plug_in_problem,
            )
        except InvalidInstance as error:
            return [forgerock.named(problem) for problem in error.problems]
        return []


def _any_plug_in(_field: str, _name: str) -> None:
    """The check of what was published before."""


def _revision(state: Mapping[str, Any], key: bytes) -> str:
    """A signed 32-bit number as text, as ``_rev`` looks on that wire; it stands for the content.

    Keyed, since who reads it could else try out what the secrets in the content may be.
    """
    digest = hmac.digest(key, orjson.dumps(state, option=orjson.OPT_SORT_KEYS), "sha256")
    return str(int.from_bytes(digest[:4], "big", signed=True))
