"""What the words of a directory mean."""

from __future__ import annotations

import pytest

from adapters.authentication.modules.ldap.protocol import Policy, Result
from adapters.authentication.modules.ldap.verdicts import (
    ACTIVE_DIRECTORY_ERRORS,
    refusal,
    warning,
)

AD = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {}, v4563"


@pytest.mark.parametrize(("code", "why"), ACTIVE_DIRECTORY_ERRORS.items())
def test_active_directorys_reasons(code: str, why: str) -> None:
    """The number in Active Directory's message says why, in the audit."""
    assert refusal(Result(49, AD.format(code))) == why


def test_a_refusal_without_a_reason() -> None:
    """An unknown number is a wrong password, another result code is named."""
    assert refusal(Result(49, AD.format("fff"))) == "wrong password"
    assert refusal(Result(53, "no")) == "the directory refused the bind (result code 53)"


@pytest.mark.parametrize(
    ("policy", "why", "warned"),
    [
        (None, None, None),
        (Policy(), None, None),
        (Policy(expires_in=60), None, "the password expires in 60 seconds"),
        (Policy(grace=1), None, "the password has expired; grace logins left: 1"),
        (Policy(error=2), "the password must be changed first", None),
        (Policy(error=1), "the account is locked", None),
        (Policy(error=0), "the password has expired", None),
    ],
)
def test_a_bind_that_succeeds(policy: Policy | None, why: str | None, warned: str | None) -> None:
    """It lets in, unless the password policy has an error; a warning is no refusal."""
    result = Result(0, "", policy)
    assert refusal(result) == why
    assert warning(result) == warned
