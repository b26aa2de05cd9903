"""What a request proposes to the ledger: the id, the times and the key of its token (phase 5)."""

from __future__ import annotations

from collections.abc import Callable

from broker import idempotency
from broker.model import ENTROPY_BYTES, Claim
from broker.plan import Plan
from broker.ports import Clock, KeySource


class Proposals:
    """Makes claims that nobody has taken yet.

    ``fingerprint_key`` makes the names and the token ids of requests that have an id, ``entropy``
    those of all others; ``owner`` gives the name of one more attempt.
    """

    def __init__(
        self,
        *,
        keys: KeySource,
        clock: Clock,
        fingerprint_key: bytes,
        owner: Callable[[], str],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._fingerprint_key = fingerprint_key
        self._owner = owner
        self._entropy = entropy

    def proposal(self, plan: Plan) -> Claim:
        """Raises KeyUnavailable, and CannotIssue for an output that the instance is not set up for.

        It is one that belongs in the ledger if the request has an id.
        """
        issued_at, route = int(self._clock.now()), plan.route
        expires_at = issued_at + route.terms.lifetime_seconds
        key_id, named = self._key_id(plan), self._named(plan)
        if named is None:
            entropy = self._entropy(ENTROPY_BYTES)
            token_id = route.provider.token_id(entropy)
            return Claim(token_id, issued_at, expires_at, key_id, entropy)
        return Claim(
            token_id=route.provider.token_id(named.entropy),
            issued_at=issued_at,
            expires_at=expires_at,
            key_id=key_id,
            entropy=named.entropy,
            fingerprint=named.fingerprint,
            scope=named.scope,
            request_id=named.request_id,
            owner=self._owner(),
        )

    def _named(self, plan: Plan) -> idempotency.Named | None:
        """None for a request without an id."""
        request, shared = plan.request, plan.shared
        if shared is None:
            return idempotency.named(request, self._fingerprint_key)
        if shared.names is None or request.request_id is None:
            return None
        return shared.names.named(idempotency.part_id(plan.index, request.request_id), request)

    def _key_id(self, plan: Plan) -> str | None:
        """The key that signs now; the parts of a chunk have one, which may be retired meanwhile."""
        route, shared = plan.route, plan.shared
        known = None if shared is None else shared.key_ids.get(route)
        if known is not None or route.terms.key is None:
            return known
        found = self._keys.key_id(route.instance.realm, route.terms.key)
        if shared is not None:
            shared.key_ids[route] = found
        return found
