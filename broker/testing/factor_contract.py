"""What every FactorStore must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker.testing.builders import NOW, a_factor
from broker.testing.expect import same
from broker.testing.stores import StoresUnderTest


class FactorStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_factor_comes_back_whole(self, stores: StoresUnderTest) -> None:
        """Every field comes back, whatever bytes the body has."""
        for factor in (a_factor(), a_factor(id="2", body=bytes(range(256)), expires_at=NOW)):
            same(await stores.factors.swap(None, factor), True)
            same(await stores.factors.get("/", "alice", "totp", factor.id), factor)

    async def test_an_unknown_name_is_no_factor(self, stores: StoresUnderTest) -> None:
        """A factor is found by realm, account, kind and id, each to the letter."""
        await stores.factors.swap(None, a_factor())
        for names in (
            ("/fred", "alice", "totp", "1"),
            ("/", "Alice", "totp", "1"),
            ("/", "auth://corp#alice", "totp", "1"),
            ("/", "alice", "passcode", "1"),
            ("/", "alice", "totp", "2"),
            ("/", "\ud800", "totp", "1"),
        ):
            same(await stores.factors.get(*names), None)
            same(await stores.factors.delete(*names), False)

    async def test_a_swap_needs_what_it_expects(self, stores: StoresUnderTest) -> None:
        """A swap that expects anything but what is kept says False and changes nothing."""
        kept, newer = a_factor(), a_factor(body=b"newer")
        same(await stores.factors.swap(kept, newer), False)
        same(await stores.factors.swap(None, kept), True)
        same(await stores.factors.swap(None, newer), False)
        same(await stores.factors.swap(newer, newer), False)
        same(await stores.factors.get("/", "alice", "totp", "1"), kept)
        same(await stores.factors.swap(kept, newer), True)
        same(await stores.factors.get("/", "alice", "totp", "1"), newer)

    async def test_one_of_many_swaps_wins(self, stores: StoresUnderTest) -> None:
        """Of twenty concurrent swaps from one state, one says True, and that one is kept."""
        kept = a_factor()
        await stores.factors.swap(None, kept)
        wanted = [replace(kept, body=b"%d" % number) for number in range(20)]
        won = await asyncio.gather(*(stores.factors.swap(kept, each) for each in wanted))
        same(sum(won), 1)
        same(await stores.factors.get("/", "alice", "totp", "1"), wanted[won.index(True)])

    async def test_what_was_deleted_stays_away(self, stores: StoresUnderTest) -> None:
        """The first delete says True, the second False; a swap from what was there says False."""
        await stores.factors.swap(None, a_factor())
        await stores.factors.swap(None, a_factor(realm="/fred"))
        same(await stores.factors.delete("/", "alice", "totp", "1"), True)
        same(await stores.factors.delete("/", "alice", "totp", "1"), False)
        same(await stores.factors.swap(a_factor(), a_factor(body=b"newer")), False)
        same(await stores.factors.list("/"), [])
        same(await stores.factors.list("/fred"), [a_factor(realm="/fred")])

    async def test_list_shows_one_realm(self, stores: StoresUnderTest) -> None:
        """A realm's factors are listed in order of account, kind and id; an account's are its
        own."""
        for realm, account, kind, id_ in (
            ("/", "bob", "totp", "1"),
            ("/", "alice", "totp", "1"),
            ("/", "alice", "passcode", "B"),
            ("/", "alice", "passcode", "A"),
            ("/fred", "alice", "totp", "1"),
        ):
            factor = a_factor(realm=realm, account=account, kind=kind, id=id_)
            same(await stores.factors.swap(None, factor), True)
        names = [(each.account, each.kind, each.id) for each in await stores.factors.list("/")]
        own = [("alice", "passcode", "A"), ("alice", "passcode", "B"), ("alice", "totp", "1")]
        same(names, [*own, ("bob", "totp", "1")])
        same([(f.account, f.kind, f.id) for f in await stores.factors.list("/", "alice")], own)
        same(await stores.factors.list("/", "nobody"), [])
        same(await stores.factors.list("/nowhere"), [])

    async def test_what_has_expired_is_reaped(self, stores: StoresUnderTest) -> None:
        """The reaper removes what has ended, once, and neither what ends later nor what never
        does."""
        for id_, end in (("old", NOW), ("older", NOW - 5), ("later", NOW + 1), ("never", None)):
            await stores.factors.swap(None, a_factor(id=id_, expires_at=end))
        same(await stores.factors.reap(NOW), 2)
        same(await stores.factors.reap(NOW), 0)
        same([each.id for each in await stores.factors.list("/")], ["later", "never"])
        same(await stores.factors.reap(NOW + 1), 1)
