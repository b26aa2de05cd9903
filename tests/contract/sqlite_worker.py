"""A broker process reduced to its store, for tests that need a real second process.

Reads one JSON list per line (a command and its arguments) and writes one JSON line when it is done.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from adapters.stores import Stores, open_stores
from broker.errors import RequestInProgress
from broker.model import Announcement, Claim, InstanceDocument
from broker.testing import (
    NOW,
    a_claim,
    a_record,
    an_announcement,
    an_answer,
    an_instance_document,
)
from tests.contract.roots import ROOT

CONCURRENT = 16
MEMBERS = 300


async def issue(stores: Stores, alias: str) -> str:
    """Commit the record of a token of its own."""
    claim = a_claim(token_id=alias, scope=None, request_id=None)
    await stores.ledger.commit(claim, a_record(alias=alias, token_id=alias), an_answer(), NOW)
    return alias


async def issue_for_ever(stores: Stores) -> None:
    """Claim and commit without end, reporting each request once its commit returned."""

    async def one_after_the_other(lane: int) -> None:
        for number in range(sys.maxsize):
            name = f"{lane}-{number}"
            claim = await stores.ledger.claim(a_claim(request_id=name, token_id=name), NOW, 5.0)
            if not isinstance(claim, Claim):
                raise SystemExit("the request was known already")
            record = a_record(alias=name, token_id=name)
            await stores.ledger.commit(claim, record, an_answer(token_id=name), NOW + 60)
            say(name)

    await asyncio.gather(*(one_after_the_other(lane) for lane in range(CONCURRENT)))


async def announce_for_ever(stores: Stores) -> None:
    """Commit with announcements without end; every second one is let out, which is reported too."""

    async def one_after_the_other(lane: int) -> None:
        for number in range(sys.maxsize):
            name = f"{lane}-{number}"
            announcement = await issue_announced(stores, name)
            say(name)
            if number % 2 == 0:
                await stores.outbox.done([announcement])
                say(f"out {name}")

    await asyncio.gather(*(one_after_the_other(lane) for lane in range(CONCURRENT)))


async def issue_announced(stores: Stores, name: str) -> Announcement:
    """A token of a request with an id, announced under its name."""
    proposal = a_claim(request_id=name, token_id=name)
    claim = await stores.ledger.claim(proposal, NOW, 5.0)
    if not isinstance(claim, Claim):
        raise SystemExit("the request was known already")
    record = a_record(alias=name, token_id=name)
    request = (claim.scope or "", name)
    announcement = an_announcement(id=name, request=request, alias=name)
    await stores.ledger.commit(claim, record, an_answer(token_id=name), NOW + 60, announcement)
    return announcement


async def cancel_for_ever(stores: Stores) -> None:
    """Issue tokens and cancel each, reporting it once the cancel returned."""

    async def one_after_the_other(lane: int) -> None:
        for number in range(sys.maxsize):
            name = f"{lane}-{number}"
            await stores.outbox.done([await issue_announced(stores, name)])
            cancelled = an_announcement(id=f"end of {name}", type="token.cancelled", alias=name)
            if await stores.tokens.cancel(name, cancelled):
                say(name)

    await asyncio.gather(*(one_after_the_other(lane) for lane in range(CONCURRENT)))


def numbered(name: str, number: int) -> InstanceDocument:
    """A document of some size, every member of which has its number."""
    body = {f"member-{member}": f"{number:032}" for member in range(MEMBERS)}
    return an_instance_document(id=name, revision=str(number), body=body)


async def publish_for_ever(stores: Stores) -> None:
    """Publish one new instance after the other, and each time a new version of ``demo``."""
    await stores.instances.create(numbered("demo", 0))
    for number in range(1, sys.maxsize):
        await stores.instances.create(numbered(f"new-{number}", number))
        await stores.instances.replace(numbered("demo", number), str(number - 1))
        say(number)


async def claims(stores: Stores, owner: str, count: int) -> int:
    """How many of ``count`` concurrent claims of one request were won."""
    results = await asyncio.gather(
        *(
            stores.ledger.claim(a_claim(owner=f"{owner}-{number}"), NOW, 5.0)
            for number in range(count)
        ),
        return_exceptions=True,
    )
    wrong = [r for r in results if not isinstance(r, Claim | RequestInProgress)]
    if wrong:
        raise SystemExit(f"unexpected: {wrong}")
    return sum(isinstance(result, Claim) for result in results)


async def obey(stores: Stores, command: str, arguments: list[Any]) -> object:
    match command, arguments:
        case "issue", [str(alias)]:
            return await issue(stores, alias)
        case "cancel", [str(alias)]:
            return await stores.tokens.cancel(alias)
        case "publish", [str(name)]:
            await stores.instances.create(an_instance_document(id=name))
            return name
        case "claims", [str(owner), int(count)]:
            return await claims(stores, owner, count)
        case "publish_for_ever", []:
            await publish_for_ever(stores)
            return None
        case "announce_for_ever", []:
            await announce_for_ever(stores)
            return None
        case "cancel_for_ever", []:
            await cancel_for_ever(stores)
            return None
        case "issue_for_ever", []:
            await issue_for_ever(stores)
            return None
        case _:
            raise SystemExit(f"unknown command {command}")


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(path: Path) -> None:
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *arguments = json.loads(line)
        say(await obey(stores, command, arguments))
    await stores.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
