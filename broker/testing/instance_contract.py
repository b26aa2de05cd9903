"""What every InstanceStore must do."""

from __future__ import annotations

import asyncio

from broker.errors import AlreadyPublished, PreconditionFailed, UnknownInstance
from broker.testing.builders import an_instance_document
from broker.testing.expect import holds, raises, same
from broker.testing.stores import StoresUnderTest

BODY = {"zeta": ["1", 2, True, None], "alpha": {"nested": "text with ä"}}


class InstanceStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_a_document_comes_back_as_it_was_written(self, stores: StoresUnderTest) -> None:
        """Every field comes back, the members of the body in their order."""
        document = an_instance_document(body=BODY)
        await stores.instances.create(document)
        found = await stores.instances.get("demo")
        same(found, document)
        same(list(found.body) if found else [], ["zeta", "alpha"])

    async def test_get_minds_letter_case(self, stores: StoresUnderTest) -> None:
        """A document is found by its exact id alone."""
        await stores.instances.create(an_instance_document())
        for name in ("Demo", "dem", "", "\ud800"):
            same(await stores.instances.get(name), None)

    async def test_names_differ_by_more_than_case(self, stores: StoresUnderTest) -> None:
        """A second document under the same name, in whatever case, is refused and not kept."""
        await stores.instances.create(an_instance_document(id="fred/Straße"))
        for name in ("fred/Straße", "FRED/straße", "fred/STRASSE"):
            await raises(
                AlreadyPublished, stores.instances.create(an_instance_document(id=name, body={}))
            )
        same(await stores.instances.list(), [an_instance_document(id="fred/Straße")])

    async def test_one_of_many_creates_wins(self, stores: StoresUnderTest) -> None:
        """Of ten concurrent creates under one name, one succeeds."""
        results = await asyncio.gather(
            *(stores.instances.create(an_instance_document(revision=str(n))) for n in range(10)),
            return_exceptions=True,
        )
        same(sum(result is None for result in results), 1)
        same(sum(isinstance(result, AlreadyPublished) for result in results), 9)

    async def test_replace_checks_the_revision(self, stores: StoresUnderTest) -> None:
        """A replacement is made if the expected revision, or none, is named."""
        newer = an_instance_document(revision="2", body={"issuer-name": "newer"})
        await stores.instances.create(an_instance_document())
        await raises(PreconditionFailed, stores.instances.replace(newer, "0"))
        same(await stores.instances.get("demo"), an_instance_document())
        await stores.instances.replace(newer, "1")
        same(await stores.instances.get("demo"), newer)
        await stores.instances.replace(an_instance_document(), None)
        same(await stores.instances.get("demo"), an_instance_document())

    async def test_only_what_is_there_is_replaced(self, stores: StoresUnderTest) -> None:
        """Replacing an unknown name is refused, and so is another spelling of a known one."""
        await raises(UnknownInstance, stores.instances.replace(an_instance_document(), None))
        await stores.instances.create(an_instance_document())
        await raises(
            UnknownInstance, stores.instances.replace(an_instance_document(id="DEMO"), None)
        )

    async def test_delete_checks_the_revision(self, stores: StoresUnderTest) -> None:
        """A document is deleted if the expected revision, or none, is named."""
        await stores.instances.create(an_instance_document())
        await raises(PreconditionFailed, stores.instances.delete("demo", "0"))
        same(await stores.instances.delete("DEMO", None), False)
        same(await stores.instances.delete("demo", "1"), True)
        same(await stores.instances.delete("demo", None), False)
        same(await stores.instances.get("demo"), None)

    async def test_a_deleted_name_is_free(self, stores: StoresUnderTest) -> None:
        """After a delete the name can be published again, in another case too."""
        await stores.instances.create(an_instance_document())
        await stores.instances.delete("demo", None)
        await stores.instances.create(an_instance_document(id="DEMO"))
        same(await stores.instances.get("DEMO"), an_instance_document(id="DEMO"))

    async def test_list_is_in_order_of_id(self, stores: StoresUnderTest) -> None:
        """All documents are listed, whole, in order of id."""
        documents = [an_instance_document(id=name) for name in ("B", "a", "c/d")]
        for document in documents[::-1]:
            await stores.instances.create(document)
        same(await stores.instances.list(), documents)

    async def test_generation_moves_with_every_change(self, stores: StoresUnderTest) -> None:
        """Create, replace and delete each give a generation that was not there before."""
        instances = stores.instances
        seen = [await instances.generation()]
        await instances.create(an_instance_document())
        seen.append(await instances.generation())
        await instances.replace(an_instance_document(revision="2"), None)
        seen.append(await instances.generation())
        await instances.delete("demo", None)
        seen.append(await instances.generation())
        holds(len(set(seen)) == len(seen), f"a generation came twice: {seen}")

    async def test_generation_stays_while_nothing_changes(self, stores: StoresUnderTest) -> None:
        """Reads, refused changes and writes to other stores leave the generation alone."""
        instances = stores.instances
        await instances.create(an_instance_document())
        before = await instances.generation()
        await instances.list()
        await raises(AlreadyPublished, instances.create(an_instance_document()))
        await raises(PreconditionFailed, instances.delete("demo", "0"))
        await instances.delete("unknown", None)
        await stores.replays.spend("jti", "request", 0)
        same(await instances.generation(), before)
