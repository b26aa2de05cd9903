"""``GET /requests/<id>``: the stored answer to a request that had an ``Idempotency-Key``."""

from __future__ import annotations

from adapters import codec
from adapters.components import Components
from adapters.http.call import Call, Reply
from broker.errors import AccessDenied, MethodNotAllowed
from broker.results import Inquiry


class Requests:
    """For whoever made the request: over HTTP that is the holder of its subject token.

    A token is no part of a URL, so only a session can be shown here, in its header or cookie. It
    need not be alive any more: the answer may be what ended it.
    """

    def __init__(self, components: Components) -> None:
        self._pipeline = components.pipeline

    async def handle(self, call: Call) -> Reply:
        call.attempt.operation = "result"
        if call.method != "GET":
            raise MethodNotAllowed("use GET", allow=["GET"])
        answer = await self._pipeline.stored_answer(call.attempt, lambda: _inquiry(call))
        return Reply(answer.body, answer.status)


def _inquiry(call: Call) -> Inquiry:
    session = call.session_id
    if session is None:
        raise AccessDenied(
            "send the session that the request was made with; for another kind of token send the "
            "request again, with the same Idempotency-Key"
        )
    request_id = codec.decode_asked_for({"request_id": call.path})
    return Inquiry(request_id, call.requester, codec.session_canonical(session.reveal()))
