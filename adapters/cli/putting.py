"""Publishing one instance over the front door, whether it is there or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.cli.client import Client

BASE = "/sts-publish/rest"
CONTEXT = "invocation_context_client_sdk"


async def put(client: Client, name: str, state: Mapping[str, Any]) -> bool:
    """Publish an instance, or bring it up to date; True if it was there. Raises CallFailed."""
    body = {"invocation_context": CONTEXT, "instance_state": state}
    there = name in await client.call("GET", BASE)
    if there:
        await client.call("PUT", f"{BASE}/{quote(name)}", body)
    else:
        await client.call("POST", BASE, body, query={"_action": "create"})
    return there
