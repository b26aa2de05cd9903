"""What a directory's answer to a bind means, for the audit; the caller hears none of it."""

from __future__ import annotations

import re

from adapters.authentication.modules.ldap.protocol import Code, Policy, Result

REFUSED = frozenset(
    {
        Code.CONSTRAINT,
        Code.NO_SUCH_OBJECT,
        Code.INVALID_DN,
        Code.INAPPROPRIATE,
        Code.INVALID_CREDENTIALS,
        Code.INSUFFICIENT_ACCESS,
        Code.UNWILLING,
    }
)
"""Codes by which a directory says no; any other but success says that it cannot tell."""

POLICY_ERRORS = {
    0: "the password has expired",
    1: "the account is locked",
    2: "the password must be changed first",
}

_ACTIVE_DIRECTORY = re.compile(r"\bdata ([0-9a-f]{3,4})\b")
ACTIVE_DIRECTORY_ERRORS = {
    "525": "the directory does not know the account",
    "52e": "wrong password",
    "530": "the account may not log in at this time",
    "531": "the account may not log in from here",
    "532": "the password has expired",
    "533": "the account is disabled",
    "568": "the account is in too many groups",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked",
}
"""The Win32 codes that Active Directory adds to its result 49."""


def refusal(result: Result) -> str | None:
    """Why a bind let nobody in; None where it did.

    A password that must be changed first lets nobody in, although the bind succeeds.
    """
    policy = result.policy or Policy()
    if result.code == Code.SUCCESS:
        return POLICY_ERRORS.get(policy.error) if policy.error is not None else None
    if policy.error in POLICY_ERRORS:
        return POLICY_ERRORS[policy.error]
    found = _ACTIVE_DIRECTORY.search(result.message)
    if found is not None and found[1] in ACTIVE_DIRECTORY_ERRORS:
        return ACTIVE_DIRECTORY_ERRORS[found[1]]
    if result.code == Code.INVALID_CREDENTIALS:
        return "wrong password"
    return f"the directory refused the bind (result code {result.code})"


def warning(result: Result) -> str | None:
    """What somebody who was let in should know; None where there is nothing."""
    policy = result.policy or Policy()
    if policy.grace is not None:
        return f"the password has expired; grace logins left: {policy.grace}"
    if policy.expires_in is not None:
        return f"the password expires in {policy.expires_in} seconds"
    return None
