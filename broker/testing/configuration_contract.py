"""What every ConfigurationStore must do."""

from __future__ import annotations

import asyncio

from broker.testing.builders import an_instance_document
from broker.testing.expect import holds, same
from broker.testing.stores import StoresUnderTest

BYTES = bytes(range(256))


class ConfigurationStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_document_comes_back_as_it_was_written(self, stores: StoresUnderTest) -> None:
        """Whatever bytes were written come back, an empty document too."""
        for name, value in (("keys/", BYTES), ("keys/fred/ä", b"")):
            same(await stores.configuration.get(name), None)
            same(await stores.configuration.swap(name, None, value), True)
            same(await stores.configuration.get(name), value)

    async def test_names_mind_letter_case(self, stores: StoresUnderTest) -> None:
        """A document is found by its exact name alone."""
        await stores.configuration.swap("keys/Fred", None, b"1")
        for name in ("keys/fred", "keys/Fre", "", "\ud800"):
            same(await stores.configuration.get(name), None)

    async def test_only_what_was_expected_is_replaced(self, stores: StoresUnderTest) -> None:
        """A swap that expects something else changes nothing, whichever side is absent."""
        documents = stores.configuration
        same(await documents.swap("a", b"0", b"1"), False)
        same(await documents.get("a"), None)
        same(await documents.swap("a", None, b"1"), True)
        for expected in (None, b"", b"2"):
            same(await documents.swap("a", expected, b"3"), False)
        same(await documents.get("a"), b"1")
        same(await documents.swap("a", b"1", b"2"), True)
        same(await documents.get("a"), b"2")

    async def test_a_document_can_be_removed(self, stores: StoresUnderTest) -> None:
        """A swap to nothing removes the document it expected, and no other."""
        documents = stores.configuration
        await documents.swap("a", None, b"1")
        same(await documents.swap("a", b"2", None), False)
        same(await documents.swap("a", b"1", None), True)
        same(await documents.get("a"), None)
        same(await documents.swap("a", None, None), True)

    async def test_one_of_many_swaps_wins(self, stores: StoresUnderTest) -> None:
        """Of ten concurrent swaps that expect the same, one succeeds, and its value stands."""
        for expected in (None, b"first"):
            if expected is not None:
                await stores.configuration.swap("b", None, expected)
            name = "a" if expected is None else "b"
            values = [str(number).encode() for number in range(10)]
            won = await asyncio.gather(
                *(stores.configuration.swap(name, expected, value) for value in values)
            )
            same(sum(won), 1)
            same(await stores.configuration.get(name), values[won.index(True)])

    async def test_list_is_by_prefix_in_order_of_name(self, stores: StoresUnderTest) -> None:
        """All documents under a prefix are listed with their values, in order of name."""
        for name in ("keys/b", "realms", "keys/a", "keys"):
            await stores.configuration.swap(name, None, name.encode())
        found = await stores.configuration.list("keys/")
        same(list(found.items()), [("keys/a", b"keys/a"), ("keys/b", b"keys/b")])
        same(list(await stores.configuration.list()), ["keys", "keys/a", "keys/b", "realms"])

    async def test_generation_moves_with_every_change(self, stores: StoresUnderTest) -> None:
        """Each swap that changes something gives a generation that was not there before."""
        documents = stores.configuration
        seen = [await documents.generation()]
        for expected, value in ((None, b"1"), (b"1", b"2"), (b"2", None)):
            await documents.swap("a", expected, value)
            seen.append(await documents.generation())
        holds(len(set(seen)) == len(seen), f"a generation came twice: {seen}")

    async def test_generation_stays_while_nothing_changes(self, stores: StoresUnderTest) -> None:
        """Reads and swaps that lost leave the generation alone."""
        await stores.configuration.swap("a", None, b"1")
        before = await stores.configuration.generation()
        await stores.configuration.get("a")
        await stores.configuration.list()
        await stores.configuration.swap("a", None, b"2")
        same(await stores.configuration.generation(), before)

    async def test_the_generation_is_that_of_the_instances(self, stores: StoresUnderTest) -> None:
        """A change of either shows in the generation of both, which are the same number."""
        await stores.configuration.swap("a", None, b"1")
        same(await stores.instances.generation(), await stores.configuration.generation())
        await stores.instances.create(an_instance_document())
        same(await stores.instances.generation(), await stores.configuration.generation())
