"""Remint's core: what a translation is. Standard library only; no I/O, no clock, no wire format.

The life of one request:

1.  **Receive.** A transport takes bytes, applies its size limit and one slot of the shared
    concurrency limit.
2.  **Requester.** It authenticates who is asking, where the protocol has that; never the subject.
3.  **Decode.** The codec builds a frozen ``TranslationRequest``, once.
4.  **Resolve** the ``Instance``, and in it the ``route`` from one type to the other; ``policy``
    decides what can be decided without the token.
5.  **Claim.** ``RequestLedger.claim`` fixes token id, ``iat``, ``exp`` and signing key. A known
    request gets its stored answer here; a different one under the same id is a conflict.
6.  **Validate.** The registered validator turns the subject token into a ``Principal``.
7.  **Map.** Claims mappers put the principal into the relying party's words.
8.  **Spend** a one-time token, atomically, with the request as owner.
9.  **Issue.** The registered provider signs; it calls neither clock nor random.
10. **Commit** token record and answer in one atomic, durable step, guarded by the claim's epoch.
11. **Audit**, before the answer leaves.
12. **Answer**, confirmed; then acknowledge.

``pipeline.Pipeline.translate`` is that list as code. Read it next, then ``model`` and ``ports``.
"""

from broker.instance import Instance, Transform, compiled
from broker.lifecycle import Lifecycle, PresentedToken
from broker.model import (
    Answer,
    Claim,
    IssuedToken,
    Principal,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TokenType,
    TranslationRequest,
    VerifiedClaims,
)
from broker.pipeline import Pipeline
from broker.registry import Registry
from broker.trail import AuditTrail

__all__ = [
    "Answer",
    "AuditTrail",
    "Claim",
    "Instance",
    "IssuedToken",
    "Lifecycle",
    "Pipeline",
    "PresentedToken",
    "Principal",
    "ReceivedToken",
    "Registry",
    "RequestedToken",
    "Requester",
    "Secret",
    "TokenType",
    "Transform",
    "TranslationRequest",
    "VerifiedClaims",
    "compiled",
]
