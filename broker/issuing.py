"""From a principal to a token: phases 7 to 9 of a translation, and the record that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, InvalidToken, KeyUnavailable
from broker.instance import HMAC_ALGORITHMS
from broker.mapping import PlugInMapping
from broker.model import Answer, Claim, IssuedToken, Principal, TokenRecord
from broker.plan import Plan
from broker.ports import ClaimsMapper, IssueOrder, KeySource, ReplayCache, Signer
from broker.statements import NOTHING_MAPPED


class Issuer:
    """Maps, spends and issues, in this order."""

    def __init__(
        self,
        *,
        mapper: ClaimsMapper,
        replays: ReplayCache,
        keys: KeySource,
        plug_ins: PlugInMapping | None = None,
    ) -> None:
        self._mapper = mapper
        self._plug_ins = plug_ins
        self._replays = replays
        self._keys = keys

    async def issue(
        self, plan: Plan, claim: Claim, principal: Principal, expires_at: int
    ) -> tuple[Claim, IssuedToken]:
        """The token, and the claim that it was made from.

        Raises Refusal (such as InvalidToken, for a one-time token that was used before, and
        KeyUnavailable) and Unavailable.
        """
        route, mapped = plan.route, NOTHING_MAPPED
        # 7. Map the principal into the relying party's words.
        if route.plugged and self._plug_ins is not None:
            claims = await self._mapper.map(principal, self._plug_ins.claim_map(plan))
            claims, mapped = await self._plug_ins.mapped(plan, claim, principal, claims, expires_at)
        else:
            claims = await self._mapper.map(principal, route.terms.claim_map)
        # 8. Spend a one-time token; a retry of the same request may spend it again.
        if principal.one_time_token is not None:
            await self._spend(principal.one_time_token, claim, principal, expires_at)
        # 9. Issue.
        claim, signer = self._with_signer(plan, claim)
        order = IssueOrder(
            instance=route.instance,
            principal=principal,
            claims=claims,
            options=plan.options,
            claim=claim,
            expires_at=expires_at,
            signer=signer,
            given=plan.request.subject_token,
            requested=plan.request.requested_token,
            mapped=mapped,
        )
        return claim, await route.provider.issue(order)

    async def _spend(self, token: str, claim: Claim, principal: Principal, expires_at: int) -> None:
        owner = f"{claim.scope}/{claim.request_id}" if claim.stored else claim.token_id
        # The mark outlives the token it marks, not the one that is about to be issued.
        ends = (principal.not_after or claim.expires_at, principal.one_time_until or 0)
        until = max(expires_at, *ends)
        if not await self._replays.spend(token, owner, until):
            raise _replayed(principal)

    def _with_signer(self, plan: Plan, claim: Claim) -> tuple[Claim, Signer | None]:
        """The claimed key; today's in its place if that is revoked or gone.

        What is not committed yet is nobody's token, so that changing its key harms no one. Raises
        KeyUnavailable if there is no key today either.
        """
        key, realm = plan.route.terms.key, plan.route.instance.realm
        if key is None:
            return _signed_with(claim, None), None
        claimed = None if key.algorithm in HMAC_ALGORITHMS else claim.key_id
        if claimed is not None and not self._keys.revoked(realm, claimed):
            try:
                return claim, self._keys.signer(realm, key, claimed)
            except KeyUnavailable:
                pass  # then with today's
        key_id = self._keys.key_id(realm, key)
        return _signed_with(claim, key_id), self._keys.signer(realm, key, key_id)


def _replayed(principal: Principal) -> InvalidToken:
    """A module's code that was used is as wrong as any other: who has seen one shall not learn
    from it whether a password is right."""
    if principal.vouched_by:
        return AuthenticationFailed(FAILED, detail="replay: the code was used before")
    return InvalidToken("this token was used before", detail="replay")


def _signed_with(claim: Claim, key_id: str | None) -> Claim:
    return claim if claim.key_id == key_id else replace(claim, key_id=key_id)


Keep: TypeAlias = Callable[[str, str], bytes]
"""Seals a token for the record of an alias."""


def record_of(
    plan: Plan,
    claim: Claim,
    principal: Principal,
    issued: IssuedToken,
    answer: Answer,
    keep: Keep | None = None,
) -> TokenRecord:
    """What is kept of the token that the answer hands out."""
    kept, instance = None, plan.route.instance
    if instance.keep_issued_tokens and keep is not None:
        kept = keep(issued.alias, issued.body["issued_token"])
    return TokenRecord(
        token_id=issued.token_id,
        alias=issued.alias,
        digest=issued.digest,
        type=issued.type,
        instance=instance.id,
        realm=instance.realm,
        principal=principal.account,
        issued_at=claim.issued_at,
        expires_at=answer.expires_at or claim.expires_at,
        key_id=claim.key_id,
        parent=principal.parent,
        kept=kept,
    )
