"""What every Journal must do. The fixture's keeps a thousand."""

from __future__ import annotations

import asyncio

from broker.testing.expect import holds, same
from broker.testing.stores import StoresUnderTest

KEPT = 1000
PAGE = 100


async def bodies(stores: StoresUnderTest, after: str = "0", limit: int = 10 * KEPT) -> list[bytes]:
    return [body for _, body in await stores.journal.read(after, limit)]


class JournalContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_bodies_come_back_in_the_order_they_came(self, stores: StoresUnderTest) -> None:
        """Whatever bytes they are, each after the one before it."""
        given = [b"first", bytes(range(256)), b"", b"first", b"last"]
        await stores.journal.append(given[:2])
        await stores.journal.append([])
        await stores.journal.append(given[2:])
        same(await bodies(stores), given)

    async def test_reading_goes_on_after_a_position(self, stores: StoresUnderTest) -> None:
        """Page by page all is read once, and what comes later is read later."""
        given = [b"%d" % number for number in range(10)]
        await stores.journal.append(given)
        seen: list[bytes] = []
        after = "0"
        while page := await stores.journal.read(after, 3):
            seen += [body for _, body in page]
            after = page[-1][0]
        same(seen, given)
        await stores.journal.append([b"more"])
        same(await bodies(stores, after), [b"more"])

    async def test_from_now_on_is_the_newest_position(self, stores: StoresUnderTest) -> None:
        """No position at all while nothing is there; then the newest, without its body."""
        same(await stores.journal.read(None, PAGE), [])
        await stores.journal.append([b"1", b"2"])
        ((newest, body),) = await stores.journal.read(None, PAGE)
        same(body, b"")
        same(await bodies(stores, newest), [])
        await stores.journal.append([b"3"])
        same(await bodies(stores, newest), [b"3"])

    async def test_the_oldest_go(self, stores: StoresUnderTest) -> None:
        """A thousand are kept; whose position is gone reads from the oldest that is there."""
        await stores.journal.append([b"0"])
        ((first, _),) = await stores.journal.read("0", PAGE)
        numbers = [b"%d" % number for number in range(1, KEPT + 51)]
        for at in range(0, len(numbers), PAGE):
            await stores.journal.append(numbers[at : at + PAGE])
        same(await bodies(stores), numbers[-KEPT:])
        same(await bodies(stores, first), numbers[-KEPT:])
        await stores.journal.append([b"%d" % number for number in range(KEPT + 1)])
        same(await bodies(stores), [b"%d" % number for number in range(1, KEPT + 1)])

    async def test_a_strange_position_is_one_that_is_gone(self, stores: StoresUnderTest) -> None:
        """Of another journal, or of none: reading begins with the oldest."""
        await stores.journal.append([b"1", b"2"])
        for after in ("", "x", "-1", "1.5", "9" * 17, "9" * 40, "\u0661", "\ud800"):
            same(await bodies(stores, after), [b"1", b"2"])

    async def test_nothing_is_lost_among_many_writers(self, stores: StoresUnderTest) -> None:
        """What is appended at once all gets in, each append in one piece."""
        await asyncio.gather(
            *(stores.journal.append([b"%d a" % lane, b"%d b" % lane]) for lane in range(50))
        )
        found = await bodies(stores)
        same(sorted(found), sorted(b"%d %c" % (n, c) for n in range(50) for c in b"ab"))
        pairs = zip(found[::2], found[1::2], strict=True)
        holds(all(a[:-1] == b[:-1] for a, b in pairs), f"an append was torn apart: {found}")
