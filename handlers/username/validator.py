"""Accepts a name and a password, and a code beside them for modules that ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.instance import Instance
from broker.model import USERNAME, Principal, ReceivedToken, Secret
from broker.ports import Authenticator
from handlers.members import text_member

MAX_USERNAME_LENGTH = 256
MAX_PASSWORD_LENGTH = 1024
MAX_OTP_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a password, and a one-time code if one came; all unverified."""

    username: str
    password: Secret
    otp: Secret | None = None


class UsernameValidator:
    """Asks ``authenticator``, in the realm of the instance."""

    token_type = USERNAME

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def parse(self, token: ReceivedToken) -> Credential:
        """Raises InvalidRequest naming the member that is missing."""
        return Credential(
            username=text_member(token.unverified, "username", MAX_USERNAME_LENGTH),
            password=Secret(text_member(token.unverified, "password", MAX_PASSWORD_LENGTH)),
            otp=_code(token.unverified),
        )

    async def validate(self, credential: Credential, instance: Instance, now: float) -> Principal:
        """Raises AuthenticationFailed."""
        # Who sent the request says nothing about the subject, so no address is handed on.
        user = await self._authenticator.authenticate(
            instance.realm, credential.username, credential.password, None
        )
        return Principal(
            name=user.name,
            realm=user.realm,
            method=USERNAME,
            authenticated_at=int(now),
            attributes=user.attributes,
        )


def _code(state: Mapping[str, Any]) -> Secret | None:
    """Whoever is asked for none ignores it."""
    if state.get("otp") in (None, ""):
        return None
    return Secret(text_member(state, "otp", MAX_OTP_LENGTH))
