"""What is put under load: an endpoint that takes tokens and issues tokens.

A target knows how requests look and how an answer is judged; it does not send. The driver
(``bench.driver``) sends what a target prepared, whatever the transport.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol


class WrongAnswer(Exception):
    """An answer that is not what was asked for; a run with one counts for nothing."""


class NotPrepared(Exception):
    """The requests could not be made: the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a figure includes: what a reader must know before comparing it with another.

    Each value is a few words, such as ``HMAC of a secret``, ``RS256, 2048 bit`` or ``none``.
    """

    input: str
    """What comes in."""
    output: str
    """What is issued."""
    client_authentication: str
    """How the caller itself is authenticated: password hash, HMAC, plain comparison, not at all."""
    verified: str
    """What of the input is checked."""
    session_writes: str
    """What is written about the caller's session or login."""
    persistence: str
    """Where issued tokens are kept, and how durably."""
    signature: str
    """Algorithm, key size, digest."""
    memory_limit: str
    """What the server may take, such as ``-Xmx1g``."""
    notes: str = ""

    def rows(self) -> dict[str, str]:
        """For tables: words by name."""
        return asdict(self)


class Target(Protocol):
    """One kind of request to one endpoint."""

    @property
    def kind(self) -> str:
        """``rest-sts``, ``token-exchange`` or ``client-credentials``."""

    @property
    def url(self) -> str:
        """Where HTTP requests go, with path and query; for messages the instance they name."""

    @property
    def head(self) -> Mapping[str, str]:
        """HTTP headers that all requests share, content type included."""

    def bodies(self, number: int) -> Iterator[bytes]:
        """The bodies of so many requests, each with a subject token that no other has.

        Raises NotPrepared.
        """

    def token(self, answer: bytes) -> str:
        """The issued token in the body of a successful answer; raises WrongAnswer."""

    def check(self, body: bytes, answer: bytes) -> str:
        """Judge an answer by its signature, claims and what the request asked for; the issued
        token's id. Raises WrongAnswer."""

    async def check_kept(self, answers: list[bytes]) -> None:
        """Ask the server whether it knows these tokens, where it keeps them and has an endpoint
        that tells. Raises WrongAnswer."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A target that is up: the server's processes by name, for their CPU time and memory."""

    name: str
    target: Target
    processes: Mapping[str, int]
    likeness: Likeness
    configuration: Mapping[str, str] = field(default_factory=dict)
    """What was set and matters, secrets left out."""
