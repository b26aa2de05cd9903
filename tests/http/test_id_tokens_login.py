"""What an ID token says of the login behind it: ``auth_time``, ``acr`` and ``amr``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt

from broker.model import OPENAM, OPENIDCONNECT, USERNAME
from tests.http import judges
from tests.http.test_id_tokens import instance, issued, judged, shown
from tests.support import door as doors
from tests.support.door import Door, FrozenClock, user_input
from tests.support.issuers import claims as foreign_claims
from tests.support.issuers import id_token as foreign_token
from tests.support.issuers import token_input, trust
from tests.support.planted import Planted


async def test_auth_time_is_the_real_login(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """A session's ID token says when its user logged in, a password's when it was checked, and a
    reference token's nothing, since that is not kept."""
    clock = FrozenClock()
    async with doors.opened(tmp_path, planted, clock=clock) as door:
        await door.publish(instance())
        session, logged_in = await shown(door, "OPENAM"), int(clock.now())
        clock.advance(100)
        opaque = await shown(door, "OPAQUE")
        clock.advance(200)
        found = [
            _unverified(await issued(door, given)) for given in (session, user_input(), opaque)
        ]
        said.extend(door.refusals)
    now = logged_in + 300
    assert [each["iat"] for each in found] == [now] * 3
    assert [each.get("auth_time") for each in found] == [logged_in, now, None]


async def test_context_and_methods_by_input(door: Door) -> None:
    """``acr`` and ``amr`` are what the instance says of the input's type, a string and an array."""
    contexts = {USERNAME: "urn:example:password", OPENIDCONNECT: "urn:example:elsewhere"}
    methods = {USERNAME: ("pwd",), OPENAM: ("pwd", "otp")}
    await door.publish(instance(authn_contexts=contexts, authn_methods=methods))
    jwks = await judges.jwks(door)
    password = judged(await issued(door, await shown(door, "USERNAME")), "ES256", jwks)
    session = judged(await issued(door, await shown(door, "OPENAM")), "ES256", jwks)
    assert (password["acr"], password["amr"]) == ("urn:example:password", ["pwd"])
    assert (session.get("acr"), session["amr"]) == (None, ["pwd", "otp"])


async def test_context_and_methods_of_a_foreign_login(door: Door) -> None:
    """What the token of a trusted issuer says of the login is passed on, unless the instance says
    otherwise of ID tokens."""
    await trust(door)
    await door.publish(
        instance(), instance(element="stated", authn_contexts={OPENIDCONNECT: "urn:example:ours"})
    )
    began = foreign_claims()["iat"] - 900
    given = token_input(foreign_token(auth_time=began, acr="silver", amr=["pwd", "otp"]))
    found = _unverified(await issued(door, given))
    assert (found["auth_time"], found["acr"], found["amr"]) == (began, "silver", ["pwd", "otp"])
    stated = _unverified(await issued(door, given, "stated"))
    assert (stated["acr"], stated["amr"]) == ("urn:example:ours", ["pwd", "otp"])


def _unverified(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found
