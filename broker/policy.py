"""Pure decisions. Each is a function of what it is given, and refuses with a sentence."""

from __future__ import annotations

import hmac

from broker.errors import (
    Forbidden,
    PersistenceDisabled,
    RealmMismatch,
    RequestExpired,
    SessionInvalid,
    UnsupportedTokenType,
    UnsupportedTransform,
)
from broker.instance import Instance, Transform
from broker.model import Principal, Session, TokenType, User

TOUCH_SECONDS = 60
"""A session's last access is written at most this often."""


def transform_offered(instance: Instance, given: TokenType, wanted: TokenType) -> Transform:
    """The transform of this pair; an instance that lists none offers none."""
    transform = instance.offered.get((given, wanted))
    if transform is None:
        raise UnsupportedTransform(
            f"this instance does not transform {shown(given)} to {shown(wanted)}"
        )
    return transform


def may_ask(instance: Instance, transport: str, requester: str | None) -> None:
    """Whether the instance serves ``requester`` (its name, None for an anonymous one) there.

    An instance without a list for a transport serves everybody whom the transport lets in; one with
    an empty list nobody.
    """
    allowed = instance.requesters.get(transport)
    if allowed is not None and requester not in allowed:
        raise Forbidden("this instance does not serve you: its list of requesters lacks your name")


def within_deadline(deadline: float | None, now: float) -> None:
    if deadline is not None and now >= deadline:
        raise RequestExpired("the deadline of this request has passed")


def same_realm(principal: Principal, instance: Instance) -> None:
    """A subject may use the instances of its own realm alone; letter case does not matter."""
    if principal.realm == instance.realm:
        return
    if principal.realm.casefold() != instance.realm.casefold():
        raise RealmMismatch(
            "the subject's realm is not the realm of this instance",
            detail=f"{principal.realm} asks at {instance.realm}",
        )


def expiry(claimed: int, principal: Principal, now: float) -> int:
    """The least of what was claimed and what is left of the subject token."""
    if principal.not_after is None:
        return claimed
    if principal.not_after <= now:
        raise SessionInvalid("the subject token has expired")
    return min(claimed, principal.not_after)


def stands(session: Session, user: User | None, now: float) -> bool:
    """Whether a session still speaks for its user, who is ``user`` if there is one. That of a
    foreign subject has no user here, and stands until it ends by itself."""
    if session.foreign is not None:
        return not session.expired(now)
    return (
        not session.expired(now)
        and user is not None
        and user.active
        and hmac.compare_digest(session.user_stamp, user.stamp)
    )


def touch_is_due(session: Session, now: float) -> bool:
    """Whether a session that was just read is to be told of its use; the store decides again."""
    return now - session.last_access_at >= TOUCH_SECONDS


def keeps_tokens(instance: Instance) -> None:
    if not instance.persist_issued_tokens:
        raise PersistenceDisabled("this instance does not persist the tokens it issues")


def issues(instance: Instance, token_type: TokenType) -> None:
    if token_type not in instance.outputs:
        raise UnsupportedTokenType(f"this instance issues no {shown(token_type)} tokens")


MAX_SHOWN = 64


def shown(name: str) -> str:
    """A caller's word, safe to put back into a sentence: short and printable."""
    if len(name) <= MAX_SHOWN and name.isprintable():
        return name
    return "".join(c if c.isprintable() else "?" for c in name[:MAX_SHOWN])
