"""What every RequestLedger must do: one request id, one token, whoever dies in between."""

# ruff: noqa: S106 - a token id is no secret

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType

from broker.errors import (
    ClaimLost,
    Conflict,
    Gone,
    RequestConflict,
    RequestInProgress,
)
from broker.model import Answer, Claim
from broker.ports import TokenQuery
from broker.testing.builders import NOW, a_claim, a_record, an_answer
from broker.testing.expect import holds, raises, same
from broker.testing.ledger_helpers import (
    LATER,
    LEASE,
    UNTIL,
    VERY_LATE,
    another_attempt,
    claimed,
)
from broker.testing.quota_contract import QuotaContract
from broker.testing.stores import StoresUnderTest


class RequestLedgerContract(QuotaContract):
    """Inherit, and give it a fixture ``stores``."""

    async def test_the_first_claim_wins(self, stores: StoresUnderTest) -> None:
        """A new request gets its proposal back, at epoch 1."""
        same(await claimed(stores, a_claim()), a_claim(epoch=1))

    async def test_one_of_many_claims_wins(self, stores: StoresUnderTest) -> None:
        """Of twenty concurrent claims of one request, one wins and the others are told to wait."""
        results = await asyncio.gather(
            *(
                stores.ledger.claim(another_attempt(owner=f"worker-{n}"), NOW, LEASE)
                for n in range(20)
            ),
            return_exceptions=True,
        )
        same(sum(isinstance(result, Claim) for result in results), 1)
        same(sum(isinstance(result, RequestInProgress) for result in results), 19)

    async def test_a_live_owner_keeps_its_claim(self, stores: StoresUnderTest) -> None:
        """While the lease runs, nobody else gets the request."""
        await claimed(stores, a_claim())
        for owner in ("worker-2", "worker-1/2", "worker-"):
            other = another_attempt(owner=owner)
            await raises(RequestInProgress, claimed(stores, other, LATER - 0.1))

    async def test_an_owner_that_asks_again_goes_on(self, stores: StoresUnderTest) -> None:
        """An owner whose first reply was lost gets its claim again at once, lease renewed, under
        the same epoch, whatever it proposes by now; its commit counts."""
        await claimed(stores, a_claim())
        again = await claimed(stores, another_attempt(owner="worker-1"), NOW + 3)
        same(again, a_claim(epoch=1))
        await raises(RequestInProgress, claimed(stores, another_attempt(), NOW + 3 + LEASE - 0.1))
        await stores.ledger.commit(again, a_record(), an_answer(), UNTIL)
        same(await stores.ledger.claim(a_claim(), NOW + 3, LEASE), an_answer())

    async def test_an_owner_that_took_over_may_ask_again(self, stores: StoresUnderTest) -> None:
        """The same is true of a later epoch, and the owner before it gets nothing."""
        await claimed(stores, a_claim())
        for _ in range(2):
            expected = a_claim(owner="worker-2", epoch=2)
            same(await claimed(stores, another_attempt(), LATER), expected)
        await raises(RequestInProgress, claimed(stores, a_claim(), LATER))

    async def test_another_owner_cannot_settle_a_claim(self, stores: StoresUnderTest) -> None:
        """The right epoch alone is not enough: a store that forgot a claim counts from 1 again."""
        won = await claimed(stores, a_claim())
        stranger = replace(won, owner="worker-2")
        await raises(ClaimLost, stores.ledger.commit(stranger, a_record(), an_answer(), UNTIL))
        await stores.ledger.release(stranger)
        await raises(RequestInProgress, claimed(stores, another_attempt()))
        same(await stores.tokens.query(TokenQuery()), [])

    async def test_a_lapsed_claim_is_taken_over(self, stores: StoresUnderTest) -> None:
        """The next attempt gets the earlier values, the epoch raised, itself as owner."""
        await claimed(stores, a_claim())
        expected = a_claim(owner="worker-2", epoch=2)
        same(await claimed(stores, another_attempt(), LATER), expected)
        await raises(RequestInProgress, claimed(stores, a_claim(), LATER + LEASE - 0.1))

    async def test_a_released_claim_need_not_be_waited_for(self, stores: StoresUnderTest) -> None:
        """After a release the same or another owner goes on with the earlier values at once."""
        first = await claimed(stores, a_claim())
        await stores.ledger.release(first)
        second = await claimed(stores, another_attempt(owner="worker-1"))
        same(second, a_claim(epoch=2))
        await stores.ledger.release(second)
        same(await claimed(stores, another_attempt()), a_claim(owner="worker-2", epoch=3))

    async def test_a_released_claim_survives_reaping(self, stores: StoresUnderTest) -> None:
        """Values that were fixed stay fixed for the next attempt, whatever a reaper does."""
        await stores.ledger.release(await claimed(stores, a_claim()))
        same(await stores.ledger.reap(LATER), 0)
        same((await claimed(stores, another_attempt(), LATER)).token_id, "token-1")

    async def test_a_stale_release_changes_nothing(self, stores: StoresUnderTest) -> None:
        """Who lost a claim cannot release it from under its new owner."""
        stale = await claimed(stores, a_claim())
        await claimed(stores, another_attempt(), LATER)
        await stores.ledger.release(stale)
        await raises(RequestInProgress, claimed(stores, a_claim(), LATER + 1))

    async def test_a_known_request_gets_its_answer(self, stores: StoresUnderTest) -> None:
        """After a commit every claim of the request, by whomever, is the stored answer."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        for proposal in (a_claim(), another_attempt()):
            same(await stores.ledger.claim(proposal, UNTIL - 1, LEASE), an_answer())
        same(await stores.ledger.fetch("requester:alice", "request-1", NOW), an_answer())
        same(await stores.tokens.get("alias-1"), a_record())

    async def test_an_answer_keeps_its_form(self, stores: StoresUnderTest) -> None:
        """A refusal with nested members comes back equal, its members in order."""
        body = {"zeta": {"b": 1, "a": [True, None]}, "alpha": "ä"}
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, None, Answer(401, MappingProxyType(body)), UNTIL)
        answer = await stores.ledger.claim(a_claim(), NOW, LEASE)
        same(answer, Answer(401, body))
        same(list(answer.body) if isinstance(answer, Answer) else [], ["zeta", "alpha"])
        same(await stores.tokens.query(TokenQuery()), [])

    async def test_an_answer_keeps_whose_it_is(self, stores: StoresUnderTest) -> None:
        """The instance of an answer and the key that it is for are kept with it."""
        key = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}
        won = await claimed(stores, a_claim())
        answer = an_answer(instance="sales/demo", reply_key=MappingProxyType(key))
        await stores.ledger.commit(won, None, answer, UNTIL)
        for found in (
            await stores.ledger.claim(a_claim(), NOW, LEASE),
            await stores.ledger.fetch("requester:alice", "request-1", NOW),
        ):
            same(found, an_answer())
            if isinstance(found, Answer):
                same(found.instance, "sales/demo")
                same(dict(found.reply_key or {}), key)

    async def test_another_request_under_the_id_is_a_conflict(
        self, stores: StoresUnderTest
    ) -> None:
        """A different fingerprint is refused while claimed, when lapsed, when done, when gone."""
        other = another_attempt(fingerprint=b"o" * 32)
        won = await claimed(stores, a_claim())
        await raises(RequestConflict, claimed(stores, other))
        await raises(RequestConflict, claimed(stores, other, LATER))
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        await raises(RequestConflict, claimed(stores, other))
        await raises(RequestConflict, claimed(stores, other, UNTIL + 1))

    async def test_scopes_and_ids_are_told_apart(self, stores: StoresUnderTest) -> None:
        """The same id of another requester, or another id, is another request."""
        await claimed(stores, a_claim())
        for other in (
            another_attempt(scope="requester:bob"),
            another_attempt(request_id="request-2"),
            another_attempt(request_id="REQUEST-1"),
        ):
            same(await claimed(stores, other), replace(other, epoch=1))

    async def test_a_late_commit_is_refused(self, stores: StoresUnderTest) -> None:
        """Who lost the claim cannot commit, and nothing of its work is kept."""
        stale = await claimed(stores, a_claim())
        fresh = await claimed(stores, another_attempt(), LATER)
        record = a_record(alias="stale")
        await raises(ClaimLost, stores.ledger.commit(stale, record, an_answer(), UNTIL))
        same(await stores.tokens.get("stale"), None)
        await stores.ledger.commit(fresh, a_record(), an_answer(), UNTIL)
        await raises(ClaimLost, stores.ledger.commit(stale, record, an_answer(), UNTIL))
        same(await stores.tokens.query(TokenQuery()), [a_record()])

    async def test_an_answer_is_final(self, stores: StoresUnderTest) -> None:
        """A second commit of the same claim is refused, and the first answer stands."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        second = an_answer(body={"issued_token": "another"})
        await raises(ClaimLost, stores.ledger.commit(won, a_record(), second, UNTIL))
        await stores.ledger.release(won)
        same(await stores.ledger.claim(a_claim(), LATER, LEASE), an_answer())

    async def test_an_epoch_that_was_never_given_is_refused(self, stores: StoresUnderTest) -> None:
        """A commit under a higher epoch than the stored one is refused like one under a lower."""
        won = await claimed(stores, a_claim())
        ahead = replace(won, epoch=won.epoch + 1)
        await raises(ClaimLost, stores.ledger.commit(ahead, a_record(), an_answer(), UNTIL))
        same(await stores.tokens.query(TokenQuery()), [])

    async def test_a_slow_owner_may_commit_while_nobody_took_over(
        self, stores: StoresUnderTest
    ) -> None:
        """A lapsed lease alone does not undo the work of a claim's holder, released or not."""
        won = await claimed(stores, a_claim())
        await stores.ledger.release(won)
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        same(await stores.ledger.claim(a_claim(), VERY_LATE - NOW, LEASE), an_answer())

    async def test_a_commit_without_a_claim_is_refused(self, stores: StoresUnderTest) -> None:
        """A stored claim that the ledger does not know cannot be committed."""
        unknown = a_claim(epoch=1)
        await raises(ClaimLost, stores.ledger.commit(unknown, a_record(), an_answer(), UNTIL))
        same(await stores.tokens.get("alias-1"), None)

    async def test_commit_is_all_or_nothing(self, stores: StoresUnderTest) -> None:
        """If the record's alias belongs to another token, the answer is not stored either."""
        await stores.ledger.commit(
            a_claim(scope=None, request_id=None), a_record(token_id="other"), an_answer(), UNTIL
        )
        won = await claimed(stores, a_claim())
        await raises(Conflict, stores.ledger.commit(won, a_record(), an_answer(), UNTIL))
        same(await stores.ledger.fetch("requester:alice", "request-1", NOW), None)
        same((await claimed(stores, another_attempt(), LATER)).epoch, 2)

    async def test_a_token_that_comes_again_takes_its_own_place(
        self, stores: StoresUnderTest
    ) -> None:
        """A forgotten request that is sent again gets a token of the same id; where its alias is
        the same as well, the record is the new one's, whether the old one was reaped or not."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        await stores.ledger.reap(VERY_LATE)
        again = await claimed(stores, a_claim(), VERY_LATE)
        same(again.epoch, 1)
        record = a_record(issued_at=int(VERY_LATE), expires_at=int(VERY_LATE) + 600)
        await stores.ledger.commit(again, record, an_answer(), VERY_LATE + 3600)
        same(await stores.tokens.get("alias-1"), record)
        same(await stores.tokens.query(TokenQuery()), [record])
        same(await stores.tokens.reap(VERY_LATE), [])

    async def test_a_claim_without_an_id_leaves_no_trace(self, stores: StoresUnderTest) -> None:
        """Such a claim is not stored: claim and release change nothing, commit adds the record."""
        proposal = a_claim(scope=None, request_id=None)
        same(await stores.ledger.claim(proposal, NOW, LEASE), proposal)
        await stores.ledger.release(proposal)
        await stores.ledger.commit(proposal, a_record(), an_answer(), UNTIL)
        same(await stores.tokens.get("alias-1"), a_record())
        same(await stores.ledger.reap(VERY_LATE), 0)

    async def test_a_replay_outlives_the_token(self, stores: StoresUnderTest) -> None:
        """The answer stays the same after its token was cancelled, and brings no token back."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        await stores.tokens.cancel("alias-1")
        same(await stores.ledger.claim(another_attempt(), LATER, LEASE), an_answer())
        same(await stores.tokens.get("alias-1"), None)

    async def test_an_ended_answer_is_gone(self, stores: StoresUnderTest) -> None:
        """Past its time the answer is gone, before and after a reaper came by."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        await raises(Gone, claimed(stores, a_claim(), UNTIL))
        same(await stores.ledger.reap(UNTIL - 1), 0)
        same(await stores.ledger.reap(UNTIL), 1)
        same(await stores.ledger.reap(UNTIL), 0)
        await raises(Gone, claimed(stores, another_attempt(), UNTIL + 3600))
        await raises(Gone, stores.ledger.fetch("requester:alice", "request-1", NOW))

    async def test_everything_is_forgotten_in_the_end(self, stores: StoresUnderTest) -> None:
        """Long after, neither ended answers nor abandoned claims take up room."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, None, an_answer(), UNTIL)
        await claimed(stores, a_claim(request_id="abandoned"))
        same(await stores.ledger.reap(VERY_LATE), 2)
        same(await stores.ledger.fetch("requester:alice", "request-1", NOW), None)
        for request_id in ("request-1", "abandoned"):
            fresh = another_attempt(request_id=request_id)
            same(await claimed(stores, fresh, VERY_LATE), replace(fresh, epoch=1))

    async def test_a_request_is_remembered_while_its_token_lives(
        self, stores: StoresUnderTest
    ) -> None:
        """No second token under the id of one that lives longer than its answer is kept."""
        lives_until = int(VERY_LATE)
        won = await claimed(stores, a_claim())
        record = a_record(expires_at=lives_until)
        await stores.ledger.commit(won, record, an_answer(expires_at=lives_until), UNTIL)
        same(await stores.ledger.reap(lives_until - 1), 1)
        await raises(Gone, claimed(stores, another_attempt(), lives_until - 1))
        same(await stores.tokens.get("alias-1"), record)
        same(len(await stores.tokens.reap(lives_until)), 1)
        same(await stores.ledger.reap(lives_until), 1)
        same((await claimed(stores, another_attempt(), lives_until)).epoch, 1)

    async def test_fetch_knows_answers_alone(self, stores: StoresUnderTest) -> None:
        """There is nothing to fetch of an unknown request, nor of one that is being worked on."""
        await claimed(stores, a_claim())
        for scope, request_id in (
            ("requester:alice", "request-1"),
            ("requester:alice", "request-2"),
            ("requester:bob", "request-1"),
            ("requester:alice", "\ud800"),
        ):
            same(await stores.ledger.fetch(scope, request_id, NOW), None)

    async def test_fetch_tells_another_request_under_the_id(self, stores: StoresUnderTest) -> None:
        """Given a fingerprint, fetch answers that very request alone, in work or done."""
        won = await claimed(stores, a_claim())
        mine, other = won.fingerprint, b"another request"
        same(await stores.ledger.fetch("requester:alice", "request-1", NOW, mine), None)
        await raises(
            RequestConflict, stores.ledger.fetch("requester:alice", "request-1", NOW, other)
        )
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        same(await stores.ledger.fetch("requester:alice", "request-1", NOW, mine), an_answer())
        await raises(
            RequestConflict, stores.ledger.fetch("requester:alice", "request-1", NOW, other)
        )

    async def test_fetch_gives_no_ended_answer(self, stores: StoresUnderTest) -> None:
        """Past its time the answer is gone for fetch as well, reaped or not."""
        won = await claimed(stores, a_claim())
        await stores.ledger.commit(won, a_record(), an_answer(), UNTIL)
        same(await stores.ledger.fetch("requester:alice", "request-1", UNTIL - 1), an_answer())
        await raises(Gone, stores.ledger.fetch("requester:alice", "request-1", UNTIL))

    async def test_a_lease_from_the_future_holds_nobody_up(self, stores: StoresUnderTest) -> None:
        """After the clock went back, a lease that ends too late has ended; the epoch fences."""
        old = await claimed(stores, a_claim(), NOW + 1000)
        new = await claimed(stores, another_attempt(), NOW)
        same(new.epoch, 2)
        await raises(ClaimLost, stores.ledger.commit(old, a_record(), an_answer(), UNTIL))

    async def test_a_won_claim_hides_its_entropy(self, stores: StoresUnderTest) -> None:
        """No claim shows what the token is made from, taken over or not."""
        first = await claimed(stores, a_claim())
        second = await claimed(stores, another_attempt(), LATER)
        for claim in (first, second):
            holds("eeee" not in repr(claim), "a claim shows its entropy")
        same(second.entropy, a_claim().entropy)
