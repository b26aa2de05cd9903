"""How a RequestLedger counts: so many new requests of one scope in one window, and no more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker.errors import RequestConflict, RequestInProgress, TooManyAttempts
from broker.idempotency import window_end
from broker.model import Claim
from broker.testing.builders import NOW, a_claim, a_record, an_answer
from broker.testing.expect import holds, raises, same
from broker.testing.ledger_helpers import LATER, LEASE, UNTIL, another_attempt, claimed
from broker.testing.stores import StoresUnderTest


class QuotaContract:
    """Part of ``RequestLedgerContract``."""

    async def test_new_requests_are_counted(self, stores: StoresUnderTest) -> None:
        """Of ten new requests at once, of which four are within the quota, four are stored; the
        others are refused until the window ends, and leave no trace."""
        for number in range(2):
            await stores.ledger.claim(a_claim(request_id=f"before-{number}"), NOW, LEASE, 6)
        names = [f"request-{number}" for number in range(10)]
        results = await asyncio.gather(
            *(stores.ledger.claim(a_claim(request_id=name), NOW, LEASE, 6) for name in names),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, TooManyAttempts)]
        same(len(refused), 6)
        same({refusal.retry_after for refusal in refused}, {int(window_end(NOW)) - NOW})
        same(sum(isinstance(result, Claim) for result in results), 4)
        for name, result in zip(names, results, strict=True):
            # without a quota all can be claimed: those that were refused for the first time
            later = await claimed(stores, a_claim(request_id=name), LATER)
            same(later.epoch, 1 if isinstance(result, TooManyAttempts) else 2)

    async def test_a_quota_is_of_one_scope_and_one_window(self, stores: StoresUnderTest) -> None:
        """Another scope has a quota of its own, and each scope a new one in the next window."""
        await stores.ledger.claim(a_claim(), NOW, LEASE, 1)
        refused = a_claim(request_id="request-2")
        await raises(TooManyAttempts, stores.ledger.claim(refused, NOW, LEASE, 1))
        bob = a_claim(scope="requester:bob")
        same(await stores.ledger.claim(bob, NOW, LEASE, 1), replace(bob, epoch=1))
        end = window_end(NOW)
        await raises(TooManyAttempts, stores.ledger.claim(refused, end - 1, LEASE, 1))
        same(await stores.ledger.claim(refused, end, LEASE, 1), replace(refused, epoch=1))

    async def test_a_quota_can_be_another_scope_s(self, stores: StoresUnderTest) -> None:
        """Claims of several scopes that name one scope for counting share its quota; who names
        none is counted by its own, and none of this changes whose request it is."""
        alike = [a_claim(scope=f"token:{n}", request_id="r") for n in range(3)]
        for claim in alike[:2]:
            won = await stores.ledger.claim(claim, NOW, LEASE, 2, "principal:x")
            same(won, replace(claim, epoch=1))
        await raises(TooManyAttempts, stores.ledger.claim(alike[2], NOW, LEASE, 2, "principal:x"))
        same(await stores.ledger.claim(alike[2], NOW, LEASE, 2), replace(alike[2], epoch=1))
        other = a_claim(scope="token:9", request_id="r")
        same(
            await stores.ledger.claim(other, NOW, LEASE, 1, "principal:y"), replace(other, epoch=1)
        )
        again = await stores.ledger.claim(alike[0], NOW, LEASE, 2, "principal:x")
        same(again, replace(alike[0], epoch=1))

    async def test_known_requests_are_not_counted(self, stores: StoresUnderTest) -> None:
        """At the quota a known request is answered, taken over, asked again, told to wait or
        refused as ever, and takes nothing of what is left for new ones."""
        won = await stores.ledger.claim(a_claim(), NOW, LEASE, 2)
        for owner, expected in (("worker-1", Claim), ("worker-2", RequestInProgress)):
            proposal = another_attempt(owner=owner)
            results = await asyncio.gather(
                stores.ledger.claim(proposal, NOW, LEASE, 2), return_exceptions=True
            )
            same([type(result) for result in results], [expected])
        conflict = another_attempt(fingerprint=b"o" * 32)
        await raises(RequestConflict, stores.ledger.claim(conflict, NOW, LEASE, 2))
        await stores.ledger.commit(replace(a_claim(), epoch=1), a_record(), an_answer(), UNTIL)
        holds(isinstance(won, Claim), "the first request is within the quota")
        same(await stores.ledger.claim(a_claim(), NOW, LEASE, 2), an_answer())
        second = a_claim(request_id="request-2")
        same(await stores.ledger.claim(second, NOW, LEASE, 2), replace(second, epoch=1))
        third = a_claim(request_id="request-3")
        await raises(TooManyAttempts, stores.ledger.claim(third, NOW, LEASE, 2))
        same(await stores.ledger.claim(a_claim(), NOW, LEASE, 2), an_answer())
        taken = await stores.ledger.claim(replace(second, owner="worker-2"), LATER, LEASE, 2)
        same(taken, replace(second, owner="worker-2", epoch=2))

    async def test_ended_windows_are_forgotten(self, stores: StoresUnderTest) -> None:
        """Reaping what has ended leaves the count of the present window alone."""
        await stores.ledger.claim(a_claim(), NOW, LEASE, 1)
        end = window_end(NOW)
        await stores.ledger.reap(end - 1)
        second = a_claim(request_id="request-2")
        await raises(TooManyAttempts, stores.ledger.claim(second, end - 1, LEASE, 1))
        await stores.ledger.reap(end)
        same(await stores.ledger.claim(second, end, LEASE, 1), replace(second, epoch=1))
