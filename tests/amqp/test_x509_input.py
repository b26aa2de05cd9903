"""X509 by message: there is no connection of the client's, so there is no certificate."""

from __future__ import annotations

import dataclasses

import pytest

from tests.amqp.caller import Caller, translation
from tests.support.door import ID_TOKEN, Door, an_instance, pair
from tests.support.pki import HEADER, INPUT, accept, root

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


async def test_no_certificate_by_message(amqp: Door, alice: Caller) -> None:
    """Where an instance believes any host's header, a message is a 400 all the same, with a
    sentence that says what to do."""
    made = an_instance(transforms=(pair("X509", "OPENIDCONNECT"),))
    await amqp.publish(dataclasses.replace(made, certificate_header=HEADER, offload_hosts=("any",)))
    await accept(amqp, root())
    reply = await alice.ask(translation(INPUT, ID_TOKEN))
    assert reply.status == 400
    assert "send this request over HTTPS" in reply.body["message"]
