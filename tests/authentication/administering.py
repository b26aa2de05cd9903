"""Whether a broker's own administrators still get in."""

from __future__ import annotations

from tests.support.door import Door


async def administers(door: Door) -> None:
    """``admin`` logs in with name and password alone, and changes who checks logins."""
    head = await door.admin()
    body = {"kind": "files"}
    path = "/json/authentication/modules/administered"
    made = await door.request("PUT", path, body=body, headers=head)
    assert made.status in (200, 201), made.text
