"""What every Outbox must do, and every store whose steps put announcements into it."""

# ruff: noqa: S106 - a token id is no secret

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker.errors import (
    AlreadyPublished,
    ClaimLost,
    Conflict,
    PreconditionFailed,
    UnknownInstance,
)
from broker.model import Announcement, Claim, TokenRecord
from broker.testing.builders import (
    NOW,
    a_claim,
    a_record,
    an_announcement,
    an_answer,
    an_instance_document,
)
from broker.testing.expect import raises, same
from broker.testing.ledger_helpers import LEASE, UNTIL, claimed
from broker.testing.stores import StoresUnderTest

DUE = NOW + 10.0
VERY_LATE = NOW + 10_000.0
MANY = 1201
"""More than a store is likely to hand out, or to reap, at once."""


async def waiting(stores: StoresUnderTest, now: float = VERY_LATE) -> list[str]:
    """The ids of all that has fallen due."""
    return [each.id for each in await stores.outbox.due(now, LEASE, MANY)]


async def nothing_waits(stores: StoresUnderTest) -> None:
    """Nothing is due, however late it is, and nothing is counted in the end."""
    for now in (VERY_LATE, VERY_LATE + 1000):
        same(await waiting(stores, now), [])
    same(await stores.outbox.size(), 0)


def unstored(name: str = "token-1") -> Claim:
    return a_claim(token_id=name, scope=None, request_id=None, fingerprint=b"")


def of_token(alias: str, kind: str = "token.issued") -> Announcement:
    return an_announcement(id=f"{kind} {alias}", type=kind, alias=alias)


def of_request(claim: Claim) -> Announcement:
    request = (claim.scope or "", claim.request_id or "")
    return an_announcement(id=f"issued {claim.request_id}", request=request, alias="alias-1")


def expired(record: TokenRecord) -> Announcement:
    return of_token(record.alias, "token.expired")


async def issue(stores: StoresUnderTest, *aliases: str) -> None:
    """Tokens of requests without an id, announced to nobody."""
    for alias in aliases:
        record = a_record(alias=alias, token_id=alias)
        await stores.ledger.commit(unstored(alias), record, an_answer(), UNTIL)


class OutboxContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_an_announcement_comes_back_as_it_was_written(
        self, stores: StoresUnderTest
    ) -> None:
        """Every field, whatever bytes the body is and wherever it belongs."""
        given = [
            an_announcement(),
            an_announcement(id="event-2 ä\n", body=bytes(range(256)), due_at=DUE + 1),
            an_announcement(id="event-3", request=("requester:alice", "r\n1"), due_at=DUE + 2.5),
            an_announcement(id="event-4", alias="}{", body=b"", due_at=DUE + 3),
        ]
        for announcement in given:
            await stores.outbox.add(announcement)
        same(await stores.outbox.due(VERY_LATE, LEASE, MANY), given)

    async def test_nothing_is_due_before_its_time(self, stores: StoresUnderTest) -> None:
        """Until then it is its maker's; at that very moment it is anybody's."""
        await stores.outbox.add(an_announcement())
        same(await waiting(stores, DUE - 0.1), [])
        same(await waiting(stores, DUE), ["event-1"])

    async def test_the_same_id_again_changes_nothing(self, stores: StoresUnderTest) -> None:
        """The first one stands, with all that it says."""
        first = an_announcement()
        await stores.outbox.add(first)
        await stores.outbox.add(replace(first, body=b"another"))
        same(await stores.outbox.due(VERY_LATE, LEASE, MANY), [first])
        same(await stores.outbox.size(), 1)

    async def test_one_that_was_taken_up_is_due_again_after_the_lease(
        self, stores: StoresUnderTest
    ) -> None:
        """Nobody else gets it until then, and then somebody does, again and again."""
        await stores.outbox.add(an_announcement())
        for now in (DUE, DUE + LEASE, DUE + 2 * LEASE):
            same(await waiting(stores, now), ["event-1"])
            same(await waiting(stores, now), [])
            same(await waiting(stores, now + LEASE - 0.1), [])

    async def test_each_is_handed_to_one_of_many(self, stores: StoresUnderTest) -> None:
        """Ten that ask at once share all there is without one twice."""
        names = [f"event-{number:03}" for number in range(200)]
        await asyncio.gather(*(stores.outbox.add(an_announcement(id=name)) for name in names))
        shares = await asyncio.gather(*(stores.outbox.due(DUE, LEASE, 20) for _ in range(10)))
        handed = [each.id for share in shares for each in share]
        while share := await stores.outbox.due(DUE, LEASE, 20):
            handed += [each.id for each in share]
        same(sorted(handed), names)

    async def test_the_oldest_come_first(self, stores: StoresUnderTest) -> None:
        """As many as are asked for, in order of the time from which they were due."""
        for number in (3, 1, 4, 2, 5):
            name = f"event-{number}"
            await stores.outbox.add(an_announcement(id=name, due_at=DUE + number))
        same([each.id for each in await stores.outbox.due(VERY_LATE, LEASE, 0)], [])
        same(
            [each.id for each in await stores.outbox.due(VERY_LATE, LEASE, 2)],
            ["event-1", "event-2"],
        )
        same(await waiting(stores, DUE + 4), ["event-3", "event-4"])

    async def test_what_is_out_is_forgotten(self, stores: StoresUnderTest) -> None:
        """By its maker or by whoever took it up; a second time is no error, nor is none."""
        first, second = an_announcement(), an_announcement(id="event-2")
        await stores.outbox.add(first)
        await stores.outbox.add(second)
        await stores.outbox.done([first])
        same(await stores.outbox.due(VERY_LATE, LEASE, MANY), [second])
        await stores.outbox.done([first, second])
        await stores.outbox.done([second])
        await stores.outbox.done([])
        await nothing_waits(stores)

    async def test_size_is_what_is_not_out(self, stores: StoresUnderTest) -> None:
        """Due or not, taken up or not."""
        same(await stores.outbox.size(), 0)
        given = [an_announcement(id=str(number)) for number in range(5)]
        for announcement in given:
            await stores.outbox.add(announcement)
        await stores.outbox.due(DUE, LEASE, 2)
        same(await stores.outbox.size(), 5)
        await stores.outbox.done(given[:3])
        same(await stores.outbox.size(), 2)

    # -- with the facts themselves ---------------------------------------------------------------

    async def test_a_commit_is_announced(self, stores: StoresUnderTest) -> None:
        """With a claim or without one, with a record or without, and with neither."""
        first = await claimed(stores, a_claim())
        second = await claimed(stores, a_claim(request_id="request-2"))
        answer = an_answer()
        given = [of_request(first), of_request(second), of_token("alias-3"), of_token("alias-4")]
        other = a_record(alias="alias-3", token_id="token-3")
        await stores.ledger.commit(first, a_record(), answer, UNTIL, given[0])
        await stores.ledger.commit(second, None, answer, UNTIL, given[1])
        await stores.ledger.commit(unstored("token-3"), other, answer, UNTIL, given[2])
        await stores.ledger.commit(unstored("token-4"), None, answer, UNTIL, given[3])
        found = await stores.outbox.due(VERY_LATE, LEASE, MANY)
        same(sorted(found, key=repr), sorted(given, key=repr))
        await stores.outbox.done(given)
        await nothing_waits(stores)

    async def test_a_lost_claim_announces_nothing(self, stores: StoresUnderTest) -> None:
        """What another worker took over is not announced by the first."""
        first = await claimed(stores, a_claim())
        await claimed(stores, a_claim(owner="worker-2"), NOW + LEASE)
        for record in (a_record(), None):
            work = stores.ledger.commit(first, record, an_answer(), UNTIL, of_request(first))
            await raises(ClaimLost, work)
        await nothing_waits(stores)

    async def test_a_second_commit_announces_nothing(self, stores: StoresUnderTest) -> None:
        """A claim that is answered is lost, and what it announced is there once."""
        claim = await claimed(stores, a_claim())
        announcement = of_request(claim)
        await stores.ledger.commit(claim, a_record(), an_answer(), UNTIL, announcement)
        work = stores.ledger.commit(claim, a_record(), an_answer(), UNTIL, announcement)
        await raises(ClaimLost, work)
        same(await waiting(stores), [announcement.id])

    async def test_a_conflict_announces_nothing(self, stores: StoresUnderTest) -> None:
        """A token whose alias is taken was not issued, with a claim or without."""
        await issue(stores, "alias-1")
        claim = await claimed(stores, a_claim())
        for owner in (claim, unstored("other")):
            record = a_record(alias="alias-1", token_id="other")
            work = stores.ledger.commit(owner, record, an_answer(), UNTIL, of_token("alias-1"))
            await raises(Conflict, work)
        await nothing_waits(stores)

    async def test_a_cancel_is_announced_once(self, stores: StoresUnderTest) -> None:
        """By the one of ten that removed the token; one that is not there is not announced."""
        claim = await claimed(stores, a_claim())
        await stores.ledger.commit(claim, a_record(), an_answer(), UNTIL)
        await issue(stores, "alias-2")
        for alias in ("alias-1", "alias-2"):
            made = [
                an_announcement(id=f"cancelled {alias} {n}", alias=alias, type="token.cancelled")
                for n in range(10)
            ]
            removed = await asyncio.gather(*(stores.tokens.cancel(alias, each) for each in made))
            (found,) = await stores.outbox.due(VERY_LATE, LEASE, MANY)
            same(found, made[removed.index(True)])
            same(sum(removed), 1)
            await stores.outbox.done([found])
        same(await stores.tokens.cancel("alias-3", of_token("alias-3")), False)
        await nothing_waits(stores)

    async def test_the_maker_of_a_cancel_says_it_is_out(self, stores: StoresUnderTest) -> None:
        """Wherever the token's record was, what its maker let out is nobody's any more."""
        claim = await claimed(stores, a_claim())
        await stores.ledger.commit(claim, a_record(), an_answer(), UNTIL)
        await issue(stores, "alias-2")
        for alias in ("alias-1", "alias-2"):
            announcement = of_token(alias, "token.cancelled")
            same(await stores.tokens.cancel(alias, announcement), True)
            await stores.outbox.done([announcement])
        same(await stores.outbox.size(), 0)
        await nothing_waits(stores)

    async def test_each_expired_token_is_announced(self, stores: StoresUnderTest) -> None:
        """One that lives on is not, nor one of which nobody wants to hear."""
        claim = await claimed(stores, a_claim())
        await stores.ledger.commit(claim, a_record(), an_answer(), UNTIL)
        await issue(stores, "alias-2", "unheard")
        lives = a_record(alias="lives", token_id="lives", expires_at=NOW + 601)
        await stores.ledger.commit(unstored("lives"), lives, an_answer(), UNTIL)

        def announce(record: TokenRecord) -> Announcement | None:
            return None if record.alias == "unheard" else expired(record)

        same(await stores.tokens.reap(NOW + 599, announce), [])
        same(len(await stores.tokens.reap(NOW + 600, announce)), 3)
        found = await stores.outbox.due(VERY_LATE, LEASE, MANY)
        same(sorted(each.id for each in found), ["token.expired alias-1", "token.expired alias-2"])
        await stores.outbox.done(found)
        await nothing_waits(stores)

    async def test_two_reapers_announce_each_token_once(self, stores: StoresUnderTest) -> None:
        """However many have expired, as many are announced."""
        names = [f"{number:04}" for number in range(MANY)]
        await asyncio.gather(*(issue(stores, name) for name in names))
        await asyncio.gather(*(stores.tokens.reap(NOW + 600, expired) for _ in range(2)))
        same(sorted(await waiting(stores)), [f"token.expired {name}" for name in names])

    async def test_changes_of_instances_are_announced(self, stores: StoresUnderTest) -> None:
        """Each that succeeds, in the order in which they fall due."""
        made = [an_announcement(id=str(number), due_at=DUE + number) for number in range(3)]
        before, after = an_instance_document(), an_instance_document(revision="2")
        await stores.instances.create(before, made[0])
        await stores.instances.replace(after, before.revision, made[1])
        same(await stores.instances.delete(before.id, "2", made[2]), True)
        same(await stores.outbox.due(VERY_LATE, LEASE, MANY), made)
        await stores.outbox.done(made)
        await nothing_waits(stores)

    async def test_changes_of_instances_that_fail_are_not(self, stores: StoresUnderTest) -> None:
        """Nothing happened, so nothing is said."""
        document, announcement = an_instance_document(), an_announcement()
        instances = stores.instances
        await raises(UnknownInstance, instances.replace(document, None, announcement))
        same(await instances.delete(document.id, None, announcement), False)
        await instances.create(document)
        await raises(AlreadyPublished, instances.create(document, announcement))
        await raises(PreconditionFailed, instances.replace(document, "other", announcement))
        await raises(PreconditionFailed, instances.delete(document.id, "other", announcement))
        await nothing_waits(stores)

    async def test_a_swap_is_announced_if_it_succeeds(self, stores: StoresUnderTest) -> None:
        """A document that was written or removed, and none that was expected to be another."""
        made = [an_announcement(id=str(number), due_at=DUE + number) for number in range(2)]
        swap = stores.configuration.swap
        same(await swap("a", b"0", b"1", made[0]), False)
        await nothing_waits(stores)
        same(await swap("a", None, b"1", made[0]), True)
        same(await swap("a", b"2", None, made[1]), False)
        same(await swap("a", b"1", None, made[1]), True)
        same(await stores.outbox.due(VERY_LATE, LEASE, MANY), made)
