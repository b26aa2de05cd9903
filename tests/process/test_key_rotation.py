"""Rotation under load: a relying party that keeps the JWKS as it may never misses a key."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import an_instance, session_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess

pytestmark = pytest.mark.slow

ALGORITHMS = ("RS256", "ES256")
ANNOUNCED = 3  # rounds of rotations to keys that nobody knew before
PREPARED = 7  # rounds of rotations to standby keys
MAX_AGE = 1  # of the JWKS, in seconds
PHASES = (0.0, 0.3, 0.6)  # when relying parties began to keep theirs


class RelyingParty:
    """Fetches the JWKS when the one it has is as old as Cache-Control allows, and no sooner."""

    def __init__(self, caller: Caller, phase: float) -> None:
        self._caller = caller
        self._until = 0.0
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetch(phase)

    def _fetch(self, age: float = 0.0) -> None:
        answer = self._caller.request("GET", "/oauth2/jwks")
        assert answer.status == 200
        found = re.fullmatch(r"public, max-age=(\d+)", answer.headers["Cache-Control"])
        assert found is not None
        self._until = time.monotonic() + int(found[1]) - age
        # As its users do: what cannot verify, such as keys for encryption, is passed over.
        keys = jwt.PyJWKSet.from_dict(answer.body).keys
        self._keys = {key.key_id: key for key in keys if key.key_id is not None}

    def verify(self, token: str, received_at: float) -> str | None:
        """What is wrong with the token; ``received_at`` is when it came, on a monotonic clock."""
        if received_at >= self._until:
            self._fetch()
        header = jwt.get_unverified_header(token)
        key = self._keys.get(header["kid"])
        if key is None:
            return f"kid {header['kid']} is not published"
        try:
            jwt.decode(token, key, algorithms=[header["alg"]], audience="client")
        except jwt.PyJWTError as error:
            return f"{type(error).__name__} under {header['kid']}"
        return None


@dataclass
class Traffic:
    """What was issued and what relying parties said to it."""

    tokens: list[str] = field(default_factory=list)
    kids: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, url: str, session: str) -> None:
        """Translate and verify until told to stop; its tokens are not searched for in logs."""
        try:
            with Caller(url, Planted()) as caller:
                parties = [RelyingParty(caller, phase) for phase in PHASES]
                while not self.stop.is_set():
                    for algorithm in ALGORITHMS:
                        self._one(caller, session, algorithm, parties)
        except Exception as error:
            self.failures.append(repr(error))
            raise

    def _one(
        self, caller: Caller, session: str, algorithm: str, parties: list[RelyingParty]
    ) -> None:
        answer = caller.translate(session_input(session), instance=algorithm)
        if answer.status != 200:
            self.failures.append(answer.text)
            return
        token, received_at = answer.body["issued_token"], time.monotonic()
        said = [party.verify(token, received_at) for party in parties]
        self.failures.extend(problem for problem in said if problem)
        self.tokens.append(token)
        self.kids.add(jwt.get_unverified_header(token)["kid"])


@contextlib.contextmanager
def _traffic(broker: BrokerProcess, session: str) -> Iterator[Traffic]:
    """On several connections, so that both workers have their part."""
    traffic = Traffic()
    threads = [threading.Thread(target=traffic.run, args=(broker.url, session)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        traffic.stop.set()
        for thread in threads:
            thread.join()


def test_rotations_under_load(brokers: Brokers, planted: Planted) -> None:
    """During 20 rotations no token fails to verify, and none has a kid that is missing in a JWKS
    which may still be kept; at the end all of them verify, whichever key signed them."""
    broker = brokers("serve", "--workers", "2", settings={"KEYS__JWKS_MAX_AGE": str(MAX_AGE)})
    broker.start()
    broker.wait_for(lambda: len(broker.served_by()) == 2)
    session = set_up(broker.url, planted)
    with Caller(broker.url, planted) as caller:
        admin = caller.admin()
        for algorithm in ALGORITHMS:
            caller.publish(admin, an_instance(algorithm, oidc=algorithm, persist=False))

    def ask(action: str, algorithm: str) -> Any:
        with Caller(broker.url, planted) as caller:  # whichever worker takes it
            answer = caller.request(
                "POST", f"/json/keys?_action={action}", {"algorithm": algorithm}, admin
            )
        assert answer.status in (200, 201), answer.text
        return answer.body

    rotated: list[str] = []
    with _traffic(broker, session) as traffic:

        def rotate() -> None:
            kids = {ask("rotate", algorithm)["kid"] for algorithm in ALGORITHMS}
            rotated.extend(kids)
            if len(rotated) == len(ALGORITHMS):  # these are known when the first have taken over
                for algorithm in ALGORITHMS * PREPARED:
                    ask("generate", algorithm)
            broker.wait_for(lambda: kids <= traffic.kids or bool(traffic.failures))

        for _ in range(ANNOUNCED + PREPARED):
            rotate()
    assert traffic.failures == []
    assert len(set(rotated)) == 20
    assert len(traffic.kids) == 22
    with Caller(broker.url, planted) as caller:
        party = RelyingParty(caller, 0.0)
        said = {party.verify(token, 0.0) for token in traffic.tokens}
    assert said == {None}
