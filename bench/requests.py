"""What is done with tokens over HTTP: whole requests to a broker on a filled store."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from itertools import cycle, islice
from urllib.parse import quote

from bench.figures import MICRO
from bench.filled import Filled
from bench.load import Request, all_answered
from bench.operations import LANES, PAGES_SHARE, Cost
from bench.process import cpu_seconds
from bench.served import SESSION_HEADER, Broker
from bench.tokens import PER_PRINCIPAL, principal, text

VALIDATE = "/rest-sts/bench?_action=validate"
CANCEL = "/rest-sts/bench?_action=cancel"
QUERY = "/sts-tokengen?_queryFilter="


class Requests:
    """Rounds on one broker, which leave its store as they found it: what is issued is cancelled."""

    def __init__(self, filled: Filled, broker: Broker, number_each: int, seed: int) -> None:
        self._filled = filled
        self._broker = broker
        self._translations = cycle(broker.translations)
        self._number = number_each
        self._random = random.Random(seed)  # noqa: S311 - picks what to look at
        self._issued: list[str] = []

    def translate(self) -> Cost:
        """Session in, ID token ES256 out."""
        requests = list(islice(self._translations, self._number))
        cost, answers = self._measured(requests, self._number, b"issued_token")
        self._issued = [json.loads(answer)["issued_token"] for answer in answers]
        return cost

    def validate(self) -> Cost:
        """Any of the tokens in the store."""
        shown = [text(self._random.randrange(self._filled.tokens)) for _ in range(self._number)]
        requests = [self._shown(VALIDATE, "validated_token_state", token) for token in shown]
        return self._measured(requests, len(requests), b"true")[0]

    def query(self) -> Cost:
        """The tokens of a principal, for an administrator."""
        head = {SESSION_HEADER: self._broker.administrator}
        number = max(1, self._number // PAGES_SHARE)
        names = [principal(self._random.randrange(self._filled.tokens)) for _ in range(number)]
        filters = [quote(f'/token_principal eq "{name}"') for name in names]
        requests = [Request(self._broker.url + QUERY + words, head=head) for words in filters]
        found = b'"resultCount":%d' % min(PER_PRINCIPAL, self._filled.tokens)
        return self._measured(requests, number, found)[0]

    def cancel(self) -> Cost:
        """What the last ``translate`` issued."""
        requests = [self._shown(CANCEL, "cancelled_token_state", token) for token in self._issued]
        return self._measured(requests, len(requests), b"cancelled successfully")[0]

    def _shown(self, path: str, member: str, token: str) -> Request:
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        return Request(self._broker.url + path, json.dumps({member: state}).encode())

    def _measured(
        self, requests: Sequence[Request], total: int, holding: bytes
    ) -> tuple[Cost, list[bytes]]:
        """What it cost the broker and the store's server; raises WrongAnswer."""
        server_seconds = self._filled.place.server_seconds
        ours, servers = cpu_seconds(self._broker.pid), server_seconds()
        answers = asyncio.run(all_answered(requests, total=total, in_flight=LANES, holding=holding))
        ours, servers = cpu_seconds(self._broker.pid) - ours, server_seconds() - servers
        return Cost(ours / total * MICRO, servers / total * MICRO), answers
