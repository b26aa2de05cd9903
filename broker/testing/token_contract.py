"""What every TokenStore must do."""

# ruff: noqa: S106 - a token id is no secret

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker.model import SAML2, Claim, TokenRecord
from broker.ports import TokenQuery
from broker.testing.builders import NOW, a_claim, a_record, an_answer
from broker.testing.expect import holds, same
from broker.testing.stores import StoresUnderTest

MANY = 1201
"""More records than a reaper is likely to take at once."""


async def add(stores: StoresUnderTest, *records: TokenRecord) -> None:
    """Commit records as the pipeline does for requests without an id."""
    for record in records:
        await stores.ledger.commit(_claim_of(record), record, an_answer(), NOW + 600)


def _claim_of(record: TokenRecord) -> Claim:
    return a_claim(token_id=record.token_id, scope=None, request_id=None, fingerprint=b"")


def _aliases(records: list[TokenRecord]) -> list[str]:
    return [record.alias for record in records]


class TokenStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_committed_record_is_found_by_its_alias(self, stores: StoresUnderTest) -> None:
        """Every field of a record comes back as it was written."""
        first = a_record(parent="token-0", kept=b"\x00sealed\xff")
        second = a_record(alias="alias-2", token_id="token-2", type=SAML2, key_id=None)
        await add(stores, first, second)
        same(await stores.tokens.get("alias-1"), first)
        same(await stores.tokens.get("alias-2"), second)

    async def test_an_unknown_alias_is_no_record(self, stores: StoresUnderTest) -> None:
        """Neither a token id nor text that is not Unicode finds a record."""
        await add(stores, a_record())
        for alias in ("token-1", "ALIAS-1", "", "\ud800"):
            same(await stores.tokens.get(alias), None)

    async def test_query_filters_by_all_that_is_given(self, stores: StoresUnderTest) -> None:
        """Instance, principal and realm each narrow the list; None means any."""
        await add(
            stores,
            a_record(alias="a"),
            a_record(alias="b", token_id="b", instance="other"),
            a_record(alias="c", token_id="c", principal="bob"),
            a_record(alias="d", token_id="d", realm="/fred", principal="bob"),
        )
        for query, expected in (
            (TokenQuery(), "abcd"),
            (TokenQuery(instance="demo"), "acd"),
            (TokenQuery(principal="bob"), "cd"),
            (TokenQuery(realm="/fred"), "d"),
            (TokenQuery(principal="bob", realm="/"), "c"),
            (TokenQuery(instance="other", principal="bob"), ""),
            (TokenQuery(principal="\ud800"), ""),
        ):
            same(_aliases(await stores.tokens.query(query)), list(expected))

    async def test_query_finds_tokens_by_key_and_by_parent(self, stores: StoresUnderTest) -> None:
        """Key and parent narrow the list like the rest, alone or with it; no text means none."""
        await add(
            stores,
            a_record(alias="a", token_id="a", parent="p"),
            a_record(alias="b", token_id="b", parent="p", key_id="key-2", principal="bob"),
            a_record(alias="c", token_id="c", parent="q", key_id="key-2", realm="/fred"),
            a_record(alias="d", token_id="d", key_id="key-2", instance="other"),
            a_record(alias="p", token_id="p", key_id=None),
        )
        for query, expected in (
            (TokenQuery(parent="p"), "ab"),
            (TokenQuery(key_id="key-2"), "bcd"),
            (TokenQuery(key_id="key-1"), "a"),
            (TokenQuery(parent="p", key_id="key-2"), "b"),
            (TokenQuery(parent="p", principal="alice"), "a"),
            (TokenQuery(parent="q", realm="/"), ""),
            (TokenQuery(key_id="key-2", realm="/"), "bd"),
            (TokenQuery(key_id="key-2", instance="other"), "d"),
            (TokenQuery(key_id="key-2", principal="bob", instance="demo", realm="/"), "b"),
            (TokenQuery(key_id="None"), ""),
            (TokenQuery(parent=""), ""),
            (TokenQuery(parent="\ud800"), ""),
        ):
            same(_aliases(await stores.tokens.query(query)), list(expected))

    async def test_lists_by_key_and_by_parent_are_paged(self, stores: StoresUnderTest) -> None:
        """Pages show each record once, in order of alias, also if those shown are cancelled."""
        aliases = [f"{n:02}" for n in range(40)]
        await asyncio.gather(
            *(add(stores, a_record(alias=a, token_id=a, parent="p")) for a in aliases)
        )
        await add(stores, a_record(alias="05x", token_id="x", key_id="key-2", parent="q"))
        for query in (TokenQuery(key_id="key-1", limit=7), TokenQuery(parent="p", limit=7)):
            seen: list[str] = []
            while page := await stores.tokens.query(query):
                seen += _aliases(page)
                query = replace(query, after=seen[-1])
                if query.parent is not None:
                    await asyncio.gather(*(stores.tokens.cancel(alias) for alias in _aliases(page)))
            same(seen, aliases)
        same(_aliases(await stores.tokens.query(TokenQuery())), ["05x"])

    async def test_what_ended_is_found_by_no_name(self, stores: StoresUnderTest) -> None:
        """Neither a cancelled nor a reaped record is listed under its key or its parent."""
        await add(
            stores,
            a_record(alias="a", token_id="a", parent="p"),
            a_record(alias="b", token_id="b", parent="p"),
        )
        await stores.tokens.cancel("a")
        await stores.tokens.reap(NOW + 600)
        for query in (TokenQuery(key_id="key-1"), TokenQuery(parent="p")):
            same(await stores.tokens.query(query), [])

    async def test_query_pages_in_order_of_alias(self, stores: StoresUnderTest) -> None:
        """Pages of two, each after the last alias of the one before, show every record once."""
        aliases = ["A", "Z", "a", "ä", "z"]
        for alias in aliases[::-1]:
            await add(stores, a_record(alias=alias, token_id=alias))
        pages: list[list[str]] = []
        after = None
        while page := await stores.tokens.query(TokenQuery(instance="demo", after=after, limit=2)):
            pages.append(_aliases(page))
            after = page[-1].alias
        same(pages, [["A", "Z"], ["a", "z"], ["ä"]])

    async def test_cancel_removes_for_good(self, stores: StoresUnderTest) -> None:
        """The first cancel says True, the second False, and the record is gone."""
        await add(stores, a_record())
        same(await stores.tokens.cancel("alias-1"), True)
        same(await stores.tokens.cancel("alias-1"), False)
        same(await stores.tokens.get("alias-1"), None)
        same(await stores.tokens.query(TokenQuery()), [])

    async def test_one_of_many_cancels_removes_it(self, stores: StoresUnderTest) -> None:
        """Of ten concurrent cancels of one token, one says True."""
        await add(stores, a_record())
        done = await asyncio.gather(*(stores.tokens.cancel("alias-1") for _ in range(10)))
        same(sorted(done), [False] * 9 + [True])

    async def test_reap_returns_what_has_expired(self, stores: StoresUnderTest) -> None:
        """A record goes at the second it expires, and is reported with all its fields."""
        old, fresh = a_record(), a_record(alias="b", token_id="b", expires_at=NOW + 601)
        await add(stores, old, fresh)
        same(await stores.tokens.reap(NOW + 599.9), [])
        same(await stores.tokens.reap(NOW + 600), [old])
        same(await stores.tokens.reap(NOW + 600), [])
        same(await stores.tokens.get("b"), fresh)

    async def test_each_expired_record_is_reaped_once(self, stores: StoresUnderTest) -> None:
        """Two reapers at once share out all expired records without one twice."""
        records = [a_record(alias=f"{n:04}", token_id=f"{n:04}") for n in range(MANY)]
        await asyncio.gather(*(add(stores, record) for record in records))
        first, second = await asyncio.gather(
            stores.tokens.reap(NOW + 600), stores.tokens.reap(NOW + 600)
        )
        same(sorted(_aliases(first + second)), _aliases(records))

    async def test_a_record_survives_a_second_write_of_itself(
        self, stores: StoresUnderTest
    ) -> None:
        """Writing the record of a token again changes nothing."""
        await add(stores, a_record(), a_record())
        same(await stores.tokens.query(TokenQuery()), [a_record()])

    async def test_a_returned_record_is_a_value(self, stores: StoresUnderTest) -> None:
        """A changed copy of a record does not change what the store holds."""
        await add(stores, a_record())
        found = await stores.tokens.get("alias-1")
        holds(found is not None and replace(found, principal="mallory") != found, "no record")
        same(await stores.tokens.get("alias-1"), a_record())
