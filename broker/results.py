"""Stored answers, for those who asked the questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from broker import idempotency, policy
from broker.batching import Batches
from broker.claiming import Claims
from broker.errors import AccessDenied, Conflict, Gone, NotFound
from broker.model import Answer, Requester
from broker.ports import Attempt, InstanceSource


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Asks for the answer to ``request_id``, an id that the same requester used earlier.

    ``token`` is the canonical subject token of that request, for a requester who is known by
    nothing else. ``encrypts`` says that the transport keeps to the answer's ``reply_key``.
    """

    request_id: str
    requester: Requester
    token: bytes | None = field(default=None, repr=False)
    encrypts: bool = False


class Results:
    """Looks answers up; nothing is claimed or changed."""

    def __init__(
        self,
        *,
        claims: Claims,
        batches: Batches,
        instances: InstanceSource,
        fingerprint_key: bytes,
    ) -> None:
        self._claims = claims
        self._batches = batches
        self._instances = instances
        self._key = fingerprint_key

    async def find(self, attempt: Attempt, decode: Callable[[], Inquiry]) -> Answer:
        """The answer, with the status that it was given; ``reply_key`` says who may read it.

        Raises NotFound (no such request of this requester, or still in work; or no such instance
        any more), Gone, AccessDenied (nobody asks), Forbidden (the instance does not serve the
        requester), Conflict (the answer can only be given encrypted) and Unavailable.
        """
        inquiry = decode()
        attempt.requester = inquiry.requester.id
        attempt.extra["asked_for"] = inquiry.request_id
        if inquiry.requester.id is None and inquiry.token is None:
            raise AccessDenied("say who you are: an answer is given to the one who asked")
        tokens = [] if inquiry.token is None else [inquiry.token]
        scope = idempotency.holder(inquiry.requester, tokens, self._key)
        stored = await self._claims.answer(scope, inquiry.request_id)
        if stored is None:
            raise NotFound("no answer of yours has this id; it may still be in work, ask again")
        await self._check_may_have(attempt, inquiry, stored)
        answer = await self._batches.restored(scope, inquiry.request_id, stored)
        attempt.replayed, attempt.token_id = True, answer.token_id
        attempt.extra["answer"] = str(answer.status)
        return answer

    async def _check_may_have(self, attempt: Attempt, inquiry: Inquiry, stored: Answer) -> None:
        """What holds for the request holds for its answer, as the instance is now."""
        if stored.instance is None:
            raise Gone("this answer was stored by an earlier version; send its request again")
        instance = await self._instances.resolve(stored.instance)
        attempt.instance, attempt.realm = instance.id, instance.realm
        policy.may_ask(instance, inquiry.requester.transport, inquiry.requester.id)
        if stored.reply_key is not None and not inquiry.encrypts:
            raise Conflict(
                "this answer is given encrypted alone, to the key that came with its request; "
                "ask by message, or send the request again under the same id"
            )
