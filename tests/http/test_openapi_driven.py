"""What ``/openapi.json`` says is what the front door does: every word of it is tried there."""

from __future__ import annotations

from typing import Any

from adapters.http.openapi.document import document
from tests.http.openapi.driving import Client
from tests.http.openapi.reading import METHODS, Asked, Description, filled
from tests.support.door import Door
from tests.support.planted import USER_PASSWORD

DEFAULT = Description(document())
JSON = "application/json"
NOT_HERE = ("there is nothing at this path", "there is no such resource")
NO_ACTION = "no-such-action"


async def test_all_that_it_says(door: Door) -> None:
    """Whatever the document says can be asked, asked with its own examples, is answered as the
    document says: with a status, a media type, and a body that it describes whole."""
    client = Client(door, DEFAULT)
    await client.open()
    for each in _in_order():
        if each.operation["responses"].get("200", {}).get("content", {}).keys() - {JSON}:
            await _headed(client, each)
            continue
        answer = await client.ask(each)
        assert answer.status in (each.statuses or [501]), f"{each.title}: {answer.text}"
        if each.statuses:
            media, schema = each.gives(answer.status)
            assert answer.headers["Content-Type"].partition(";")[0] == media
            assert DEFAULT.mismatches(schema, answer.body) == [], each.title
            assert DEFAULT.unsaid(schema, answer.body) == set(), each.title


async def test_login_without_a_session(door: Door) -> None:
    """A login that wants no session is answered by the body that the document has for it."""
    head = {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}
    answer = await door.request("POST", "/json/authenticate?noSession=true", headers=head)
    assert DEFAULT.mismatches({"$ref": "#/components/schemas/session.none"}, answer.body) == []


async def test_query_that_lists_factors(door: Door) -> None:
    """The query that the document names for second factors lists them, not users."""
    head = await door.admin()
    await door.request("POST", "/json/users/demo/totp?_action=enrol", body={}, headers=head)
    answer = await door.request("GET", "/json/users?_queryId=factors", headers=head)
    assert DEFAULT.mismatches({"$ref": "#/components/schemas/factors"}, answer.body) == []
    assert answer.body["resultCount"] == 1


async def test_who_may(door: Door) -> None:
    """What the document says needs a session is refused to who shows none that stands, in the body
    that it describes for refusals."""
    client = Client(door, DEFAULT)
    await client.open()
    needing = [each for each in DEFAULT.asked() if each.security and {} not in each.security]
    assert needing
    for each in needing:
        if each.path.startswith("/requests"):  # a session that has ended may still ask
            continue
        answer = await client.ask(each, session="unknown")
        assert answer.status == 401, each.title
        assert "401" in each.operation["responses"]
        assert DEFAULT.mismatches({"$ref": "#/components/schemas/error"}, answer.body) == []


async def test_what_is_not_said(door: Door) -> None:
    """A method or an action that the document does not name is refused, and one that it names is
    known."""
    head = await door.admin()
    for path, item in DEFAULT.document["paths"].items():
        for method in METHODS:
            answer = await _bare(door, method, path, item.get(method, {}), head)
            if method in item:
                known = answer is None or answer.body.get("message") not in NOT_HERE
                assert known, f"{method} {path}"
                assert answer is None or answer.status != 405, f"{method} {path}"
            else:
                assert answer is not None
                assert answer.status >= 400, f"{method} {path}"
    for path, method, operation in DEFAULT.operations():
        for action in operation.get("x-actions", ()):
            if "/sessions" in path:
                head = await door.admin()  # the one before may have ended
            target = f"{filled(path)}?_action="
            unknown = await door.request("POST", target + NO_ACTION, headers=head)
            known = await door.request("POST", target + action, headers=head)
            if unknown.status != 404:  # else nothing is there that could know of actions
                assert unknown.status >= 400, f"{path} {method}"
                assert unknown.text != known.text, f"{path} {action}"


async def _bare(
    door: Door, method: str, path: str, operation: dict[str, Any], head: dict[str, str]
) -> Any:
    """An answer to the method alone; None for one that never ends or is no JSON."""
    if method == "get" and path in ("/events", "/metrics"):
        return None
    actions = "".join(f"?_action={action}" for action in list(operation.get("x-actions", ()))[:1])
    return await door.request(method.upper(), filled(path) + actions, headers=head)


async def _headed(client: Client, asked: Asked) -> None:
    status, media, first = await client.headed(asked)
    assert (status, media) == (200, asked.gives(200)[0])
    assert first


def _in_order() -> list[Asked]:
    """Deletions last, of what was made last first."""
    asked = list(DEFAULT.asked())
    kept = [each for each in asked if each.method != "delete"]
    return [*kept, *reversed([each for each in asked if each.method == "delete"])]
