"""An instance that takes client certificates, and requests that show one in a header."""

from __future__ import annotations

import dataclasses
from typing import Any

from broker.instance import Instance
from tests.http import judges
from tests.support.door import ID_TOKEN, Answer, Door, an_instance, pair
from tests.support.pki import HEADER, INPUT, NAME, Holder

INSTANCE = "from-certificates"
OPAQUE = {"token_type": "OPAQUE"}
ACCOUNT = f"x509://{NAME}#CN=alice"
NOT_TRUSTED = "no certificate authority of this realm vouches for this client certificate"


def instance(**changes: Any) -> Instance:
    """An instance behind a TLS offloader on this machine."""
    outputs = ("SAML2", "OPENIDCONNECT", "OPAQUE")
    pairs = tuple(pair(given, out) for given in ("X509", "OPAQUE") for out in outputs)
    pairs += (pair("USERNAME", "OPENIDCONNECT"),)
    made = an_instance(INSTANCE, transforms=pairs, realm=changes.pop("realm", "/"))
    said = {"certificate_header": HEADER, "offload_hosts": ("127.0.0.1",), **changes}
    return dataclasses.replace(made, **said)


async def ask(
    door: Door, holder: Holder | None, wanted: Any = ID_TOKEN, element: str = INSTANCE, **head: str
) -> Answer:
    """``head`` is sent too, its underscores as they are."""
    shown = holder.head() if holder is not None else {}
    return await door.translate(INPUT, wanted, instance=element, headers={**shown, **head})


async def claims_of(door: Door, answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    token = answer.body["issued_token"]
    return dict((await judges.id_token(door, token, "RS256")).claims)
