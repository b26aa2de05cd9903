"""Every way a request can be refused, as one tree.

::

    RemintError
    ├── Refusal                      the caller can act on it; ``sentence`` is for them
    │   ├── InvalidRequest           the request cannot be understood
    │   │   ├── UnsupportedTransform     this instance does not offer that pair
    │   │   ├── UnsupportedTokenType     nobody here knows that type
    │   │   ├── InvalidDocument          a document breaks rules; all of them are listed
    │   │   │   ├── InvalidInstance          that of an instance
    │   │   │   ├── InvalidIssuer            that of a trusted issuer
    │   │   │   ├── InvalidAuthority         that of a certificate authority
    │   │   │   └── InvalidModule            that of an authentication module or chain
    │   │   └── CannotIssue              the instance is not set up for the token asked for
    │   ├── RequestExpired           its deadline passed before work began
    │   ├── InvalidToken             the subject token proves nothing
    │   │   ├── AuthenticationFailed     wrong name or password; which one is never said
    │   │   └── SessionInvalid           unknown, ended or expired session
    │   ├── AccessDenied             no requester, where one is needed
    │   ├── Forbidden                a requester without the right
    │   │   └── RealmMismatch            the subject belongs to another realm
    │   ├── NotFound                 no such thing
    │   │   └── UnknownInstance          no such published instance
    │   ├── MethodNotAllowed         the resource has no such method
    │   ├── Conflict                 the state forbids it
    │   │   ├── RequestConflict          this request id was used for another request
    │   │   ├── AlreadyPublished         an instance has that name
    │   │   ├── PersistenceDisabled      this instance keeps no tokens
    │   │   └── NotReady                 something that the instance names is not there
    │   │       ├── KeyUnavailable           its signing key
    │   │       └── PlugInUnavailable        one of its plug-ins
    │   ├── Gone                     it was here once
    │   ├── PreconditionFailed       the revision has moved on
    │   ├── PayloadTooLarge          over a named limit
    │   ├── UnsupportedMediaType     an encoding that is not read here
    │   ├── TooManyAttempts          slow down
    │   └── NotSupported             the contract answers this with "not implemented"
    ├── PlugInFailed                 a plug-in did what no plug-in may
    └── Unavailable                  a dependency is down; ask again with the same id
        ├── RequestInProgress            another worker holds this request
        ├── ClaimLost                    another worker took this request over; drop own work
        └── OutcomeUnknown               the store did not say whether it kept the answer

``sentence`` is public and never holds a secret; ``detail`` is private and goes to the audit alone.
Codes on each transport stand in ``adapters/codec.py``.
"""

from __future__ import annotations

from collections.abc import Sequence


class RemintError(Exception):
    """The root: a public ``sentence``, and a private ``detail`` for the audit, as is ``login``: the
    name that was typed, where it is a login that was refused."""

    login: str | None = None

    def __init__(self, sentence: str, *, detail: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail


class Refusal(RemintError):
    """The request is refused, and asking again unchanged will not help."""


class InvalidRequest(Refusal):
    """The request cannot be understood."""


class UnsupportedTransform(InvalidRequest):
    """The instance does not offer this pair of token types."""


class UnsupportedTokenType(InvalidRequest):
    """No handler knows this token type."""


MAX_PROBLEMS = 100
MAX_PROBLEM_LENGTH = 1000
"""So that neither answer nor audit grows with what somebody made up to be refused."""


class InvalidDocument(InvalidRequest):
    """A document breaks rules; ``problems`` lists each as (key, sentence), up to a number."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        told = [_cut(problem) for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            key, _ = _cut(problems[MAX_PROBLEMS])
            told.append((key, f"there are more problems than these {MAX_PROBLEMS}"))
        super().__init__("; ".join(f"{key}: {sentence}" for key, sentence in told))
        self.problems = tuple(told)


def _cut(problem: tuple[str, str]) -> tuple[str, str]:
    key, sentence = problem
    return key[:MAX_PROBLEM_LENGTH], sentence[:MAX_PROBLEM_LENGTH]


class InvalidInstance(InvalidDocument):
    """The document of an instance breaks rules."""


class InvalidIssuer(InvalidDocument):
    """The document of a trusted issuer breaks rules."""


class InvalidAuthority(InvalidDocument):
    """The document of a certificate authority breaks rules."""


class InvalidModule(InvalidDocument):
    """The document of an authentication module, a chain or a realm's default breaks rules."""


class CannotIssue(InvalidRequest):
    """The instance is not set up for the token asked for."""


class RequestExpired(Refusal):
    """The deadline passed before work began; nothing was signed."""


class InvalidToken(Refusal):
    """The subject token proves nothing."""


class AuthenticationFailed(InvalidToken):
    """Wrong name or password."""


class SessionInvalid(InvalidToken):
    """Unknown, ended or expired session."""


class AccessDenied(Refusal):
    """No authenticated requester, where one is needed."""


class Forbidden(Refusal):
    """The requester has no right to this."""


class RealmMismatch(Forbidden):
    """The subject belongs to another realm than the instance."""


class NotFound(Refusal):
    """No such thing."""


class UnknownInstance(NotFound):
    """No instance is published under that name."""


class MethodNotAllowed(Refusal):
    """The resource has no such method; ``allow`` names those that it has."""

    def __init__(self, sentence: str, *, allow: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.allow = tuple(allow)


class Conflict(Refusal):
    """The present state forbids it."""


class RequestConflict(Conflict):
    """The request id was used for a different request."""


class AlreadyPublished(Conflict):
    """An instance is published under that name; letter case does not tell names apart."""


class PersistenceDisabled(Conflict):
    """The instance keeps no tokens, so it cannot validate or cancel any."""


class NotReady(Conflict):
    """Something that the instance names is not there; once it is, the same request succeeds."""


class KeyUnavailable(NotReady):
    """The signing key that the instance names is not there."""


class PlugInUnavailable(NotReady):
    """A plug-in that the instance names cannot be loaded here."""


class Gone(Refusal):
    """It was here once and is not kept any more."""


class PreconditionFailed(Refusal):
    """The revision the caller saw is not the present one."""


class PayloadTooLarge(Refusal):
    """The body is over a named limit."""


class UnsupportedMediaType(Refusal):
    """A content coding that is not read here."""


class TooManyAttempts(Refusal):
    """Too much from this requester, failures or new requests; ``retry_after`` is in seconds."""

    def __init__(self, sentence: str, *, retry_after: int, detail: str | None = None) -> None:
        super().__init__(sentence, detail=detail)
        self.retry_after = retry_after


class NotSupported(Refusal):
    """The contract answers this request with "not implemented"."""


class PlugInFailed(RemintError):
    """A plug-in failed, answered what it must not, or did not answer; no mistake of the caller."""


class Unavailable(RemintError):
    """A dependency is down or full; the same request may succeed in ``retry_after`` seconds."""

    def __init__(self, sentence: str, *, retry_after: int = 1, detail: str | None = None) -> None:
        super().__init__(sentence, detail=detail)
        self.retry_after = retry_after


class RequestInProgress(Unavailable):
    """Another worker holds this request; its answer is on the way."""


class ClaimLost(Unavailable):
    """Another worker took this request over; whatever this one did is dropped."""


class OutcomeUnknown(Unavailable):
    """The store did not say whether it kept the answer; asking with the same id finds out."""
