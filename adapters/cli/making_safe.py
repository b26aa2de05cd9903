"""``remint instances make-safe``: from the wire of the reference to a safe one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, Client, run
from adapters.cli.putting import BASE, CONTEXT
from adapters.migration.safety import Safer, made_safe
from adapters.printable import printable


def make_safe(
    instance: Annotated[str, typer.Argument(help="realm/element; in the root realm the element.")],
    apply: Annotated[bool, typer.Option("--apply", help="Change the instance.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same, as JSON.")] = False,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Show an instance without weak or doubtful output, and what service providers would notice.

    Nothing is changed without --apply.
    """
    path = f"{BASE}/{quote(instance.strip('/'))}"

    async def work(client: Client) -> tuple[Mapping[str, Any], Safer]:
        answer = await client.call("GET", path)
        state = answer[answer["_id"]]
        safer = made_safe(state)
        if apply and safer.changes:
            body = {"invocation_context": CONTEXT, "instance_state": safer.state}
            # Only what was read is changed: somebody else may be at it.
            await client.call("PUT", path, body, headers={"If-Match": f'"{answer["_rev"]}"'})
        return state, safer

    state, safer = run(config, url, admin, work)
    if as_json:
        print(json.dumps(_document(safer, apply), indent=2))
    else:
        print("\n".join(map(printable, _lines(state, safer, apply))))


def _document(safer: Safer, applied: bool) -> dict[str, Any]:
    changes = [
        {
            "section": change.section,
            "key": change.key,
            "before": change.before,
            "after": change.after,
            "notices": change.notices,
        }
        for change in safer.changes
    ]
    return {
        "applied": applied and bool(changes),
        "changes": changes,
        "advice": list(safer.advice),
        "instance": safer.state,
    }


def _lines(state: Mapping[str, Any], safer: Safer, applied: bool) -> list[str]:
    before, after = (json.dumps(each, indent=2).splitlines() for each in (state, safer.state))
    # All of the instance, and not the surroundings of each change alone.
    whole = len(before)
    lines = list(difflib.unified_diff(before, after, "published", "safe", n=whole, lineterm=""))
    if safer.changes:
        lines += ["", "What a service provider notices:"]
        lines += [f"  {change.key}: {change.notices}." for change in safer.changes]
    else:
        lines.append("there is nothing to change")
    if safer.advice:
        lines += ["", "What only you can decide:", *(f"  {each}." for each in safer.advice)]
    if safer.changes:
        lines += ["", "changed" if applied else "nothing was changed; --apply does it"]
    return lines
