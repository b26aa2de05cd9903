"""What every SessionStore must do."""

from __future__ import annotations

from broker.model import Origin, Secret
from broker.testing.builders import NOW, a_session
from broker.testing.expect import same
from broker.testing.stores import StoresUnderTest

ID = Secret("session-1")


class SessionStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_session_comes_back_whole(self, stores: StoresUnderTest) -> None:
        """Every field of a session, its id included, comes back as it was put."""
        session = a_session(interim=True, realm="/fred")
        await stores.sessions.put(session)
        same(await stores.sessions.get(ID), session)

    async def test_a_session_of_modules_comes_back_whole(self, stores: StoresUnderTest) -> None:
        """Who checked a login, by which means, and what a directory said of it come back."""
        attributes = {"mail": ("a@example.org",), "groups": ("Zo\u00eb, Ltd", "b"), "none": ()}
        for origin in (
            Origin("service|staff", ("pwd", "otp"), "auth://corp#admin", attributes),
            Origin("module|corp"),
        ):
            session = a_session(origin=origin)
            await stores.sessions.put(session)
            same(await stores.sessions.get(ID), session)

    async def test_an_unknown_id_is_no_session(self, stores: StoresUnderTest) -> None:
        """No other id finds a session, not even one that is no Unicode text."""
        await stores.sessions.put(a_session())
        for text in ("", "SESSION-1", "uid-1", "\ud800"):
            same(await stores.sessions.get(Secret(text)), None)
            same(await stores.sessions.end(Secret(text)), False)

    async def test_put_replaces(self, stores: StoresUnderTest) -> None:
        """A session put again is the newer one."""
        await stores.sessions.put(a_session())
        await stores.sessions.put(a_session(principal="bob"))
        same(await stores.sessions.get(ID), a_session(principal="bob"))

    async def test_touch_moves_last_access(self, stores: StoresUnderTest) -> None:
        """A touch a minute later is written down."""
        await stores.sessions.put(a_session())
        await stores.sessions.touch(ID, NOW + 60)
        same(await stores.sessions.get(ID), a_session(last_access_at=NOW + 60))

    async def test_touch_within_a_minute_is_not_written(self, stores: StoresUnderTest) -> None:
        """Touches in quick succession cost no write, and time never runs backwards."""
        await stores.sessions.put(a_session())
        await stores.sessions.touch(ID, NOW + 59)
        await stores.sessions.touch(ID, NOW - 600)
        same(await stores.sessions.get(ID), a_session())

    async def test_touch_never_revives(self, stores: StoresUnderTest) -> None:
        """Neither an ended nor an expired session comes to life by a touch."""
        await stores.sessions.put(a_session())
        await stores.sessions.touch(ID, NOW + 1800)
        same(await stores.sessions.get(ID), a_session())
        same(await stores.sessions.end(ID), True)
        await stores.sessions.touch(ID, NOW + 120)
        same(await stores.sessions.get(ID), None)

    async def test_end_is_for_good(self, stores: StoresUnderTest) -> None:
        """The first end says True, the second False."""
        await stores.sessions.put(a_session())
        same(await stores.sessions.end(ID), True)
        same(await stores.sessions.end(ID), False)
        same(await stores.sessions.get(ID), None)

    async def test_reap_removes_what_idled_out(self, stores: StoresUnderTest) -> None:
        """A session goes at the second it idles out, and one in use stays."""
        await stores.sessions.put(a_session())
        await stores.sessions.put(a_session(id=Secret("used"), last_access_at=NOW + 900))
        same(await stores.sessions.reap(NOW + 1799), 0)
        same(await stores.sessions.reap(NOW + 1800), 1)
        same(await stores.sessions.get(ID), None)
        same(
            await stores.sessions.get(Secret("used")),
            a_session(id=Secret("used"), last_access_at=NOW + 900),
        )

    async def test_reap_removes_what_lived_long_enough(self, stores: StoresUnderTest) -> None:
        """A session in constant use still ends with its longest life."""
        await stores.sessions.put(a_session(last_access_at=NOW + 7100))
        same(await stores.sessions.reap(NOW + 7199), 0)
        same(await stores.sessions.reap(NOW + 7200), 1)

    async def test_a_touched_session_is_reaped_later(self, stores: StoresUnderTest) -> None:
        """A touch puts off the moment at which a session idles out."""
        await stores.sessions.put(a_session())
        await stores.sessions.touch(ID, NOW + 600)
        same(await stores.sessions.reap(NOW + 2399), 0)
        same(await stores.sessions.reap(NOW + 2400), 1)
