"""What every UserStore must do."""

from __future__ import annotations

import asyncio

from broker.model import Secret
from broker.testing.builders import a_user
from broker.testing.expect import same
from broker.testing.stores import StoresUnderTest


class UserStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_user_comes_back_whole(self, stores: StoresUnderTest) -> None:
        """Every field comes back, attribute values in their order."""
        user = a_user(active=False, attributes={"roles": ("b", "a"), "empty": ()})
        await stores.users.put(user)
        same(await stores.users.get("/", "alice"), user)

    async def test_an_unknown_name_is_no_user(self, stores: StoresUnderTest) -> None:
        """A user is found by exact name in exactly its realm."""
        await stores.users.put(a_user())
        for realm, name in (("/", "bob"), ("/", "Alice"), ("/fred", "alice"), ("/", "\ud800")):
            same(await stores.users.get(realm, name), None)

    async def test_put_replaces(self, stores: StoresUnderTest) -> None:
        """A user put again has the new hash and no attribute of the old one."""
        newer = a_user(password_hash=Secret("$argon2id$newer"), attributes={})
        await stores.users.put(a_user())
        await stores.users.put(newer)
        same(await stores.users.get("/", "alice"), newer)
        same(await stores.users.list("/"), [newer])

    async def test_create_never_replaces(self, stores: StoresUnderTest) -> None:
        """A second create under one name says False and changes nothing."""
        same(await stores.users.create(a_user()), True)
        same(await stores.users.create(a_user()), False)
        same(await stores.users.create(a_user(active=False)), False)
        same(await stores.users.get("/", "alice"), a_user())

    async def test_one_of_many_creates_wins(self, stores: StoresUnderTest) -> None:
        """Of ten concurrent creates of one user, one says True, and that one is kept."""
        users = [a_user(password_hash=Secret(f"hash-{n}")) for n in range(10)]
        created = await asyncio.gather(*(stores.users.create(user) for user in users))
        same(sum(created), 1)
        same(await stores.users.get("/", "alice"), users[created.index(True)])

    async def test_list_shows_one_realm(self, stores: StoresUnderTest) -> None:
        """A realm's users are listed in order of name, and no one else's."""
        for realm, name in (("/", "bob"), ("/", "alice"), ("/fred", "carol")):
            await stores.users.put(a_user(realm=realm, name=name))
        same([user.name for user in await stores.users.list("/")], ["alice", "bob"])
        same([user.name for user in await stores.users.list("/fred")], ["carol"])
        same(await stores.users.list("/nobody"), [])

    async def test_delete_is_for_good(self, stores: StoresUnderTest) -> None:
        """The first delete says True, the second False; another realm's user stays."""
        await stores.users.put(a_user())
        await stores.users.put(a_user(realm="/fred"))
        same(await stores.users.delete("/", "alice"), True)
        same(await stores.users.delete("/", "alice"), False)
        same(await stores.users.get("/", "alice"), None)
        same(await stores.users.get("/fred", "alice"), a_user(realm="/fred"))
