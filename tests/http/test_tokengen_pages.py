"""Pages of `/sts-tokengen`: nothing twice, nothing left out, and a cookie that opens one door."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from broker.testing import builders
from tests.support.door import ELEMENT, ID_TOKEN, REALM, Answer, Door, an_instance, user_input

INSIDE = "fred/bobo/inside"
FAR = 4_000_000_000  # seconds since the epoch
QUERY = f"/sts_id eq '{ELEMENT}'"


async def _plant(
    door: Door, many: int, *, instance: str = ELEMENT, realm: str = "/", begin: str = "A"
) -> list[str]:
    """Records as issued tokens leave them; their aliases, in order."""
    aliases = [f"{begin}{number:04}" for number in range(many)]
    for alias in aliases:
        record = builders.a_record(
            token_id=f"t-{instance}-{alias}",
            alias=alias,
            instance=instance,
            realm=realm,
            expires_at=FAR,
        )
        claim = builders.a_claim(token_id=record.token_id, scope=None, request_id=None)
        await door.broker.stores.ledger.commit(claim, record, builders.an_answer(), 0.0)
    return aliases


async def _ask(door: Door, head: dict[str, str], text: str = QUERY, **parameters: Any) -> Answer:
    named = {"_queryFilter": text, **{f"_{name}": str(v) for name, v in parameters.items()}}
    async with door.http.get(door.url + "/sts-tokengen", params=named, headers=head) as got:
        return Answer(got.status, await got.json(), got.headers, await got.text())


def _ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    assert answer.body["resultCount"] == len(answer.body["result"])
    return [item["_id"] for item in answer.body["result"]]


async def _pages(door: Door, head: dict[str, str], size: int) -> list[list[str]]:
    """All pages, from the first on."""
    pages = []
    more: dict[str, Any] = {}
    while True:
        answer = await _ask(door, head, pageSize=size, **more)
        pages.append(_ids(answer))
        if answer.body["pagedResultsCookie"] is None:
            return pages
        more = {"pagedResultsCookie": answer.body["pagedResultsCookie"]}


def _joined(pages: list[list[str]]) -> list[str]:
    return [alias for page in pages for alias in page]


@pytest.mark.parametrize(
    ("size", "lengths"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (8, [7]), (10_000, [7])]
)
async def test_pages(door: Door, size: int, lengths: list[int]) -> None:
    """The pages of a query hold each token once, in order, and the last one has no cookie."""
    aliases = await _plant(door, 7)
    await _plant(door, 3, instance="another", begin="B")
    pages = await _pages(door, await door.admin(), size)
    assert [len(page) for page in pages] == lengths
    assert _joined(pages) == aliases


async def test_no_pages(door: Door) -> None:
    """Without a page size, or with 0, all tokens come at once."""
    aliases = await _plant(door, 7)
    head = await door.admin()
    for parameters in ({}, {"pageSize": 0}, {"pagedResultsCookie": ""}, {"pagedResultsOffset": 0}):
        answer = await _ask(door, head, **parameters)
        assert _ids(answer) == aliases
        assert answer.body["pagedResultsCookie"] is None


async def test_all_at_once_over_many_chunks(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store gives in chunks comes as one list, without a seam."""
    monkeypatch.setattr("broker.lifecycle.PAGE_SIZE", 3)
    for many in (5, 6):
        aliases = await _plant(door, many, begin=f"{many}-", instance=f"i{many}")
        answer = await _ask(door, await door.admin(), f"/sts_id eq 'i{many}'")
        assert _ids(answer) == aliases


async def test_too_many_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """More tokens than one answer may hold are a 400 that asks for pages, which give them all."""
    monkeypatch.setattr("adapters.http.tokengen.MAX_UNPAGED", 5)
    aliases = await _plant(door, 6)
    head = await door.admin()
    answer = await _ask(door, head)
    assert answer.status == 400
    assert "_pageSize" in answer.body["message"]
    assert _joined(await _pages(door, head, 4)) == aliases


async def test_while_tokens_come_and_go(door: Door) -> None:
    """Who turns pages while tokens are issued and cancelled sees each token that stood all the time
    exactly once, and no token twice."""
    await _plant(door, 40)
    head = await door.admin()
    stood = {record.alias for record in await door.tokens() if record.alias[-1] != "7"}
    gone = [alias for alias in await _aliases(door) if alias not in stood]

    async def unrest() -> None:
        for alias in gone:
            issued = await door.translate(user_input(), ID_TOKEN)
            assert issued.status == 200
            path = f"/sts-tokengen/{alias}"
            assert (await door.request("DELETE", path, headers=head)).status == 200

    disturbing = asyncio.create_task(unrest())
    turned = 0
    while not disturbing.done() or turned < 2:
        seen = _joined(await _pages(door, head, 3))
        assert len(seen) == len(set(seen))
        assert stood <= set(seen)
        turned += 1
    await disturbing
    assert set(gone).isdisjoint(await _aliases(door))


async def _aliases(door: Door) -> list[str]:
    return [record.alias for record in await door.tokens()]


async def test_the_last_token_of_a_page_is_cancelled(door: Door) -> None:
    """A cookie still opens the next page after the token that it came after has gone."""
    aliases = await _plant(door, 4)
    head = await door.admin()
    first = await _ask(door, head, pageSize=2)
    await door.request("DELETE", f"/sts-tokengen/{aliases[1]}", headers=head)
    cookie = first.body["pagedResultsCookie"]
    assert _ids(await _ask(door, head, pageSize=2, pagedResultsCookie=cookie)) == aliases[2:]


async def test_page_size_may_change(door: Door) -> None:
    """A cookie says where the next page begins, and not how long it is."""
    aliases = await _plant(door, 6)
    head = await door.admin()
    cookie = (await _ask(door, head, pageSize=2)).body["pagedResultsCookie"]
    assert _ids(await _ask(door, head, pageSize=3, pagedResultsCookie=cookie)) == aliases[2:5]


async def _cookie(door: Door, head: dict[str, str], text: str = QUERY) -> str:
    answer = await _ask(door, head, text, pageSize=1)
    return str(answer.body["pagedResultsCookie"])


async def test_cookie_of_another_query(door: Door) -> None:
    """A cookie opens pages of its own query alone, however that is written."""
    aliases = await _plant(door, 3)
    await _plant(door, 3, instance="another", begin="B")
    head = await door.admin()
    cookie = await _cookie(door, head)
    for text in ("/sts_id eq 'another'", f"{QUERY} and /token_principal eq 'alice'"):
        other = await _ask(door, head, text, pageSize=1, pagedResultsCookie=cookie)
        assert other.status == 400
        assert "without one" in other.body["message"]
    same = f'(sts_id EQ "{ELEMENT}" and {QUERY})'
    assert _ids(await _ask(door, head, same, pageSize=1, pagedResultsCookie=cookie)) == aliases[1:2]


async def test_cookie_of_another_realm(door: Door) -> None:
    """A cookie that an administrator of one realm got is of no use to that of another."""
    await door.publish(an_instance("inside", realm=REALM))
    await _plant(door, 3, instance=INSIDE, realm=REALM)
    text = f"/sts_id eq '{INSIDE}'"
    root, realm = await door.admin(), await door.realm_admin()
    for giver, taker in ((root, realm), (realm, root)):
        cookie = await _cookie(door, giver, text)
        answer = await _ask(door, taker, text, pageSize=1, pagedResultsCookie=cookie)
        assert answer.status == 400
        answer = await _ask(door, giver, text, pageSize=1, pagedResultsCookie=cookie)
        assert len(_ids(answer)) == 1


async def test_forged_cookie(door: Door) -> None:
    """A cookie that was changed in any of its characters, or made up, is a 400."""
    await _plant(door, 3)
    head = await door.admin()
    cookie = await _cookie(door, head)
    changed = [
        cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        for at in range(len(cookie) - 1)
    ]
    made_up = ["x", "====", "A", "ä", "%00", cookie + "A" * 4, cookie[:-4], cookie * 2, "A" * 5000]
    made_up.append(base64.urlsafe_b64encode(b"\0" * 16 + b"A0001").decode())
    for forged in (*changed, *made_up):
        answer = await _ask(door, head, pageSize=1, pagedResultsCookie=forged)
        assert answer.status == 400, forged


@pytest.mark.parametrize(
    "parameters",
    [
        {"pageSize": -1},
        {"pageSize": "many"},
        {"pageSize": "1.5"},
        {"pageSize": "٣"},
        {"pageSize": 10_001},
        {"pageSize": "9" * 5000},
        {"pagedResultsCookie": "x"},
        {"pagedResultsOffset": 1, "pageSize": 1},
        {"pagedResultsOffset": "x"},
        {"totalPagedResultsPolicy": "SOME"},
        {"sortKeys": "-token_id"},
        {"sortKeys": "principal_name"},
        {"sortKeys": "token_id,sts_id"},
    ],
)
async def test_refused_parameters(door: Door, parameters: dict[str, Any]) -> None:
    """A parameter that is no number, out of range or not offered is a 400 that names it."""
    answer = await _ask(door, await door.admin(), **parameters)
    assert answer.status == 400
    assert f"_{next(iter(parameters))}" in answer.body["message"]


@pytest.mark.parametrize("order", ["token_id", "+token_id", "/token_id", "+/_id", ""])
async def test_sort_keys(door: Door, order: str) -> None:
    """The order that tokens have anyway may be asked for."""
    aliases = await _plant(door, 3)
    assert _ids(await _ask(door, await door.admin(), sortKeys=order)) == aliases


@pytest.mark.parametrize("policy", ["EXACT", "ESTIMATE", "exact"])
async def test_counted(door: Door, policy: str) -> None:
    """Who asks for it is told how many tokens there are, and how many behind the page."""
    await _plant(door, 5)
    head = await door.admin()
    wanted = {"totalPagedResultsPolicy": policy}
    first = await _ask(door, head, pageSize=2, **wanted)
    cookie = first.body["pagedResultsCookie"]
    last = await _ask(door, head, pageSize=3, pagedResultsCookie=cookie, **wanted)
    unpaged = await _ask(door, head, **wanted)
    nothing = await _ask(door, head, "/sts_id eq 'a' and /sts_id eq 'b'", **wanted)
    told = [
        (
            answer.body["totalPagedResultsPolicy"],
            answer.body["totalPagedResults"],
            answer.body["remainingPagedResults"],
        )
        for answer in (first, last, unpaged, nothing)
    ]
    assert told == [("EXACT", 5, 3), ("EXACT", 5, 0), ("EXACT", 5, 0), ("EXACT", 0, 0)]


async def test_too_many_to_count(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a limit nobody counts, and the answer says so."""
    monkeypatch.setattr("adapters.http.tokengen.MAX_COUNTED", 4)
    await _plant(door, 5)
    answer = await _ask(door, await door.admin(), pageSize=2, totalPagedResultsPolicy="EXACT")
    assert len(_ids(answer)) == 2
    assert answer.body["totalPagedResultsPolicy"] == "NONE"
    assert answer.body["totalPagedResults"] == answer.body["remainingPagedResults"] == -1


async def test_realm_s_pages(door: Door) -> None:
    """The pages of a realm's administrator hold that realm's tokens and no other's."""
    await _plant(door, 3)
    await door.publish(an_instance("inside", realm=REALM))
    aliases = await _plant(door, 3, instance=INSIDE, realm=REALM, begin="C")
    head = await door.realm_admin()
    seen: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(3):
        answer = await _ask(door, head, "/token_principal eq 'alice'", pageSize=1, **more)
        seen += _ids(answer)
        more = {"pagedResultsCookie": answer.body["pagedResultsCookie"]}
    assert seen == aliases
    assert more == {"pagedResultsCookie": None}
