"""What plug-ins say in the relying party's words, where an instance names them (phase 7).

Whatever a plug-in answers is checked for its kind here, once; what the kinds may hold is checked
where they are written. There is no way back to our own words: a plug-in that fails is the request's
failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from broker import statements
from broker.errors import PlugInFailed
from broker.model import (
    OPENIDCONNECT,
    SAML2,
    Claim,
    Principal,
    ReceivedToken,
    RequestedToken,
    VerifiedClaims,
)
from broker.output_options import OidcOptions, OidcPlugIns, Saml2Options, Saml2PlugIns
from broker.plan import Plan
from broker.plug_ins import PlugIns, Profiles, Translation
from broker.ports import IssueOrder
from broker.statements import NOTHING_MAPPED, Mapped

MAX_VALUES = 10_000
"""Values, statements or names that one plug-in may answer with."""

BESIDE = "\0"
"""Begins the claims that a provider maps for itself: no attribute or claim has such a name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A translation in phase 7. ``options`` are those of the instance for this output."""

    translation: Translation
    section: str
    plug_ins: Saml2PlugIns | OidcPlugIns

    def names(self, member: str) -> str | None:
        name: str | None = getattr(self.plug_ins, member)
        return name


class PlugInMapping:
    """Asks the plug-ins that an instance names for its output."""

    def __init__(self, plug_ins: PlugIns, profiles: Profiles) -> None:
        self._plug_ins = plug_ins
        self._profiles = profiles

    def claim_map(self, plan: Plan) -> Mapping[str, str]:
        """What is left for our own mapper: nothing but what the provider needs, where a plug-in
        takes the place of the map."""
        ours = plan.provider.claim_map(plan.instance)
        found = _section(plan)
        if found is None or getattr(found[1].plug_ins, _claims_member(found[0])) is None:
            return ours
        return {key: value for key, value in ours.items() if key.startswith(BESIDE)}

    async def mapped(
        self,
        plan: Plan,
        claim: Claim,
        principal: Principal,
        claims: VerifiedClaims,
        expires_at: int,
    ) -> tuple[VerifiedClaims, Mapped]:
        """The claims, and what else plug-ins say.

        Raises PlugInUnavailable, PlugInFailed, and what a plug-in refuses with.
        """
        found = _section(plan)
        if found is None:
            return claims, NOTHING_MAPPED
        section, options = found
        known = replace(principal, attributes=await self._profiles.profile(principal))
        told = Translation(
            instance=plan.instance.id,
            realm=plan.instance.realm,
            principal=known,
            input=plan.request.subject_token,
            output=plan.request.requested_token,
            token_id=claim.token_id,
            issued_at=claim.issued_at,
            expires_at=expires_at,
            options=options,
            claims=claims,
        )
        asked = Asked(told, section, options.plug_ins)
        claims = await self._claims(asked, claims)
        asked = replace(asked, translation=replace(told, claims=claims))
        if section == "oidc":
            return claims, await self._of_id_token(asked)
        return claims, await self._of_assertion(asked)

    async def _claims(self, asked: Asked, ours: VerifiedClaims) -> VerifiedClaims:
        member = _claims_member(asked.section)
        if asked.names(member) is None:
            return ours
        said = await self._say(asked, member)
        if not isinstance(said, Mapping) or len(said) > MAX_VALUES:
            raise _wrong(asked, member, "a mapping of names to values")
        values = {}
        for name, given in said.items():
            texts = _texts((given,) if isinstance(given, str) else given)
            if not isinstance(name, str) or name.startswith(BESIDE) or texts is None:
                raise _wrong(asked, member, "a mapping of names to strings or lists of strings")
            if texts:
                values[name] = texts
        return VerifiedClaims({**ours.values, **values})

    async def _of_id_token(self, asked: Asked) -> Mapped:
        return Mapped(
            authn_context=await self._authn_context(asked),
            authn_methods=await self._authn_methods(asked),
        )

    async def _of_assertion(self, asked: Asked) -> Mapped:
        return Mapped(
            conditions=await self._one(asked, "conditions", statements.Conditions),
            subject=await self._one(asked, "subject", statements.Subject),
            authentication_statements=await self._several(
                asked, "authentication_statements", statements.AuthnStatement
            ),
            attribute_statements=await self._several(
                asked, "attribute_statements", statements.AttributeStatement
            ),
            authz_decision_statements=await self._several(
                asked, "authz_decision_statements", statements.AuthzDecisionStatement
            ),
            authn_context=await self._authn_context(asked),
        )

    async def _authn_context(self, asked: Asked) -> str | None:
        member = "authn_context_mapper"
        if asked.names(member) is None:
            return None
        said = await self._say(asked, member)
        if said is not None and not isinstance(said, str):
            raise _wrong(asked, member, "a string or None")
        return said or ""

    async def _authn_methods(self, asked: Asked) -> tuple[str, ...] | None:
        member = "authn_methods_mapper"
        if asked.names(member) is None:
            return None
        said = _texts(await self._say(asked, member))
        if said is None:
            raise _wrong(asked, member, "a list of strings")
        return said

    async def _one(self, asked: Asked, member: str, kind: type[T]) -> T | None:
        if asked.names(member) is None:
            return None
        said = await self._say(asked, member)
        if not isinstance(said, kind):
            raise _wrong(asked, member, kind.__name__)
        return said

    async def _several(self, asked: Asked, member: str, kind: type[T]) -> tuple[T, ...] | None:
        if asked.names(member) is None:
            return None
        said = await self._say(asked, member)
        if not isinstance(said, list | tuple) or len(said) > MAX_VALUES:
            raise _wrong(asked, member, f"a list of {kind.__name__}")
        if not all(isinstance(each, kind) for each in said):
            raise _wrong(asked, member, f"a list of {kind.__name__}")
        return tuple(said)

    async def _say(self, asked: Asked, member: str) -> Any:
        field = f"{asked.section}.plug_ins.{member}"
        return await self._plug_ins.call(field, asked.names(member) or "", asked.translation)


def custom_translation(order: IssueOrder, profile: Mapping[str, tuple[str, ...]]) -> Translation:
    """What a custom provider is told."""
    given, requested = order.given, order.requested
    return Translation(
        instance=order.instance.id,
        realm=order.instance.realm,
        principal=replace(order.principal, attributes=profile),
        input=given or ReceivedToken(order.principal.method, {}),
        output=requested or RequestedToken(order.principal.method, {}),
        token_id=order.claim.token_id,
        issued_at=order.claim.issued_at,
        expires_at=order.expires_at,
    )


def wrong_answer(name: str, wanted: str) -> PlugInFailed:
    """A plug-in answered something of another kind."""
    return PlugInFailed(
        "a plug-in of this instance failed",
        detail=f"the plug-in {name} answered something else than {wanted}",
    )


def _wrong(asked: Asked, member: str, wanted: str) -> PlugInFailed:
    return wrong_answer(asked.names(member) or member, wanted)


def _section(plan: Plan) -> tuple[str, Saml2Options | OidcOptions] | None:
    """The options of the instance for the output that is asked for; None for a custom one."""
    output = plan.request.requested_token.type
    if output == SAML2 and plan.instance.saml2 is not None:
        return "saml2", plan.instance.saml2
    if output == OPENIDCONNECT and plan.instance.oidc is not None:
        return "oidc", plan.instance.oidc
    return None


def _claims_member(section: str) -> str:
    return "attribute_mapper" if section == "saml2" else "claim_mapper"


def _texts(said: Any) -> tuple[str, ...] | None:
    """Strings, the empty ones left out; None for anything else."""
    if not isinstance(said, Sequence | frozenset | set) or isinstance(said, str | bytes):
        return None
    ordered = sorted(said) if _unordered(said) else list(said)
    if len(ordered) > MAX_VALUES or not all(isinstance(each, str) for each in ordered):
        return None
    return tuple(dict.fromkeys(each for each in ordered if each))


def _unordered(said: Any) -> bool:
    """A set of strings: its order would differ from one attempt to the next."""
    return isinstance(said, set | frozenset) and all(isinstance(each, str) for each in said)
