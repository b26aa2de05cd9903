"""What examples say in the place of what exists only in a running broker."""

from __future__ import annotations

from typing import Any, Final

from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME

SESSION: Final = "<tokenId of a login>"
ID_TOKEN: Final = "<issued_token of a translation to OPENIDCONNECT>"  # noqa: S105
ASSERTION: Final = "<issued_token of a translation to SAML2>"
AUTH_ID: Final = "<authId of the answer before>"
CERTIFICATE: Final = "<PEM of a certificate>"
KEY: Final = "<PEM of a key, unencrypted>"
KID: Final = "<kid of a key>"
CODE: Final = "<code that the authenticator shows>"

INSTANCE: Final = "username-transformer"
USER: Final = "demo"
PASSWORD: Final = "Ch4ng31t"  # noqa: S105  # of the demo's user, as the README says

BY_PASSWORD: dict[str, Any] = {"token_type": USERNAME, "username": USER, "password": PASSWORD}
BY_SESSION: dict[str, Any] = {"token_type": OPENAM, "session_id": SESSION}
WANTS_ID_TOKEN: dict[str, Any] = {
    "token_type": OPENIDCONNECT,
    "nonce": "n-1",
    "allow_access": True,
}
WANTS_ASSERTION: dict[str, Any] = {"token_type": SAML2, "subject_confirmation": "BEARER"}


def pair(given: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The body of a translation."""
    return {"input_token_state": given, "output_token_state": wanted}
