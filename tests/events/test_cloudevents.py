"""Events as CloudEvents: their attributes, ids, pseudonyms and routing keys."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from adapters.events.catalogue import KINDS
from adapters.events.cloudevents import DUE_AFTER_SECONDS, source
from adapters.events.routing import MAX_KEY_BYTES, routing_key
from broker import events
from broker.events import Event
from broker.model import instance_id
from tests.events.samples import AT, REALM, SAMPLES, URL, a_writer, issued, written
from tests.support.door import FrozenClock

TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "vendor=1"}


def test_every_event_of_the_core_has_a_type() -> None:
    """Whatever the core can announce has one type, and a sample in these tests."""
    known = {kind.event for kind in KINDS}
    assert known == {
        found
        for _, found in inspect.getmembers(events, inspect.isclass)
        if issubclass(found, Event) and found is not Event
    }
    assert known == {type(sample) for sample in SAMPLES}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_attributes_of_an_issued_token() -> None:
    """The attributes are those of CloudEvents 1.0, the data the event's members, without a name."""
    writer = a_writer()
    event = SAMPLES[0]
    announcement = writer.announcement(event, request=("s", "r"), alias="a", trace=TRACE)
    body = written(announcement)
    data = body.pop("data")
    assert body == {
        "specversion": "1.0",
        "id": announcement.id,
        "type": "remint.token.issued",
        "source": f"{URL}/oauth2/realms/fred/bobo",
        "subject": "fred/bobo/x",
        "time": "2027-01-15T08:00:00.250Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:remint:schema:event:token.issued:1",
        **TRACE,
    }
    assert data == {
        "realm": REALM,
        "instance": "fred/bobo/x",
        "token_id": "t-1",
        "token_type": "SAML2",
        "digest": "ab" * 32,
        "principal": writer.pseudonym(REALM, "demo"),
        "expires_at": 1_800_000_600,
    }
    assert announcement.type == "token.issued"
    assert announcement.routing_key == "token.issued.fred:bobo.x"
    assert announcement.due_at == AT + DUE_AFTER_SECONDS
    assert (announcement.request, announcement.alias) == (("s", "r"), "a")
    assert b"demo" not in announcement.body


def test_principal_in_plain_text() -> None:
    """With ``events.principal = "plain"`` the name itself is in the event."""
    body = written(a_writer(plain=True).announcement(issued()))
    assert body["data"]["principal"] == "demo"


def test_pseudonyms() -> None:
    """A pseudonym is the same for the same principal, and tells nothing across realms or keys."""
    one = a_writer()
    assert one.pseudonym("/", "demo") == a_writer().pseudonym("/", "demo")
    others = {
        one.pseudonym("/", "demo"),
        one.pseudonym("/fred", "demo"),
        one.pseudonym("/", "Demo"),
        a_writer(key=b"x" * 32).pseudonym("/", "demo"),
    }
    assert len(others) == 4


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_id_stays_with_the_fact(event: Event) -> None:
    """The same fact has the same id, whoever announces it; a rejection is always a new fact."""
    ids = {a_writer(FrozenClock(AT + later)).announcement(event).id for later in (0.0, 60.0)}
    assert len(ids) == (2 if isinstance(event, events.TranslationRejected) else 1)


def test_id_of_a_token_does_not_depend_on_the_moment() -> None:
    """A token that is issued once more after a crash is announced under the same id."""
    writer = a_writer()
    first, again = issued(), replace(issued(), at=AT + 5)
    assert writer.announcement(first).id == writer.announcement(again).id


def test_facts_that_recur_have_ids_of_their_own() -> None:
    """An instance that gets its old revision back is announced under a new id."""
    writer = a_writer()
    event = events.InstanceUpdated(AT, "/", "x", "17")
    assert writer.announcement(event).id != writer.announcement(replace(event, at=AT + 1)).id


def test_ids_differ_between_facts() -> None:
    """Issue, cancel and end of one token, and of another, are facts of their own."""
    writer = a_writer()
    facts = [
        issued(),
        issued(2),
        events.TokenCancelled(AT, "/", "orders", "t-1"),
        events.TokenExpired(AT, "/", "orders", "t-1"),
    ]
    assert len({writer.announcement(fact).id for fact in facts}) == len(facts)


def test_rejection_before_an_instance_was_named() -> None:
    """What was refused before it was read concerns no instance, and has no subject."""
    announcement = a_writer().announcement(events.TranslationRejected(AT, "/", "", "NotJson"))
    assert "subject" not in written(announcement)
    assert announcement.routing_key == "token.rejected.root"


def test_source() -> None:
    """The root realm's source is the public URL; a sub realm's is below it."""
    assert source(URL, "/") == URL
    assert source(URL, "/fred bobo/é") == f"{URL}/oauth2/realms/fred%20bobo/%C3%A9"


@pytest.mark.parametrize(
    ("realm", "element", "words"),
    [
        ("/", "username-transformer", "root.username-transformer"),
        ("/fred", "orders", "fred.orders"),
        ("/fred/bobo", "orders", "fred:bobo.orders"),
        ("/fred.bobo", "v1.0", "fred%2Ebobo.v1%2E0"),
        ("/fred bobo", "a:b~c", "fred%20bobo.a%3Ab%7Ec"),
        ("/é", "*", "%C3%A9.%2A"),
        ("/x", "#", "x.%23"),
    ],
)
def test_routing_keys(realm: str, element: str, words: str) -> None:
    """Realm and element are one word each, and no character of theirs means anything else."""
    key = routing_key("token.issued", realm, instance_id(realm, element))
    assert key == f"token.issued.{words}"


def test_long_routing_keys() -> None:
    """The longest names fit into a routing key, and stay apart."""
    realms = [f"/{'é' * 99}/{'é' * 98}{end}" for end in "ab"]
    keys = {
        routing_key("instance.published", realm, f"{realm[1:]}/{'😀' * 250}") for realm in realms
    }
    assert len(keys) == 2
    for key in keys:
        assert len(key.encode()) <= MAX_KEY_BYTES
        assert key.count(".") == 3


def test_instance_that_is_not_of_the_realm() -> None:
    """A request may name what does not exist; its key still has the usual words."""
    assert routing_key("token.rejected", "/fred", "a/b") == "token.rejected.fred.a:b"
