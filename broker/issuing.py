"""From a principal to a token: phases 7 to 9 of a translation, and the record that is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from broker.errors import InvalidToken, KeyUnavailable
from broker.instance import HMAC_ALGORITHMS
from broker.mapping import PlugInMapping
from broker.model import Answer, Claim, IssuedToken, Principal, TokenRecord, VerifiedClaims
from broker.plan import Plan
from broker.ports import ClaimsMapper, IssueOrder, KeySource, ReplayCache, Signer
from broker.statements import NOTHING_MAPPED, Mapped


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
        # 7. Map the principal into the relying party's words.
        claims, mapped = await self._mapped(plan, claim, principal, expires_at)
        # 8. Spend a one-time token; a retry of the same request may spend it again.
        await self._spend(claim, principal, expires_at)
        # 9. Issue.
        claim, signer = self._with_signer(plan, claim)
        order = IssueOrder(
            instance=plan.instance,
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
        return claim, await plan.provider.issue(order)

    async def _mapped(
        self, plan: Plan, claim: Claim, principal: Principal, expires_at: int
    ) -> tuple[VerifiedClaims, Mapped]:
        if self._plug_ins is None:
            claim_map = plan.provider.claim_map(plan.instance)
            return await self._mapper.map(principal, claim_map), NOTHING_MAPPED
        claims = await self._mapper.map(principal, self._plug_ins.claim_map(plan))
        return await self._plug_ins.mapped(plan, claim, principal, claims, expires_at)

    async def _spend(self, claim: Claim, principal: Principal, expires_at: int) -> None:
        if principal.one_time_token is None:
            return
        owner = f"{claim.scope}/{claim.request_id}" if claim.stored else claim.token_id
        # The mark outlives the token it marks, not the one that is about to be issued.
        until = max(expires_at, principal.not_after or claim.expires_at)
        if not await self._replays.spend(principal.one_time_token, owner, until):
            raise InvalidToken("this token was used before", detail="replay")

    def _with_signer(self, plan: Plan, claim: Claim) -> tuple[Claim, Signer | None]:
        """The claimed key; today's in its place if that is revoked or gone.

        What is not committed yet is nobody's token, so that changing its key harms no one. Raises
        KeyUnavailable if there is no key today either.
        """
        key, realm = plan.provider.signing_key(plan.instance), plan.instance.realm
        if key is None:
            return replace(claim, key_id=None), None
        claimed = None if key.algorithm in HMAC_ALGORITHMS else claim.key_id
        if claimed is not None and not self._keys.revoked(realm, claimed):
            with contextlib.suppress(KeyUnavailable):
                return claim, self._keys.signer(realm, key, claimed)
        key_id = self._keys.key_id(realm, key)
        return replace(claim, key_id=key_id), self._keys.signer(realm, key, key_id)


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
    kept = None
    if plan.instance.keep_issued_tokens and keep is not None:
        kept = keep(issued.alias, issued.body["issued_token"])
    return TokenRecord(
        token_id=issued.token_id,
        alias=issued.alias,
        digest=issued.digest,
        type=issued.type,
        instance=plan.instance.id,
        realm=plan.instance.realm,
        principal=principal.account,
        issued_at=claim.issued_at,
        expires_at=answer.expires_at or claim.expires_at,
        key_id=claim.key_id,
        parent=principal.parent,
        kept=kept,
    )
