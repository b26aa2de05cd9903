"""ID tokens of trusted issuers by message: the same as by HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.amqp.caller import Caller, translation
from tests.support.door import ASSERTION, ID_TOKEN, Door, an_instance, pair
from tests.support.forged import FORGED
from tests.support.issuers import id_token, token_input, trust

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

OPAQUE = {"token_type": "OPAQUE"}


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION, OPAQUE], ids=lambda w: w["token_type"])
async def test_id_token_in(amqp: Door, alice: Caller, wanted: dict[str, Any]) -> None:
    """An ID token becomes each kind of token; a forged one none."""
    pairs = tuple(pair("OPENIDCONNECT", out) for out in ("SAML2", "OPENIDCONNECT", "OPAQUE"))
    await amqp.publish(an_instance(transforms=pairs))
    await trust(amqp)
    reply = await alice.ask(translation(token_input(id_token()), wanted))
    assert reply.status == 200, reply.body
    assert reply.body["issued_token"]
    refused = await alice.ask(translation(token_input(FORGED["unsigned"]), wanted))
    assert refused.status == 401
