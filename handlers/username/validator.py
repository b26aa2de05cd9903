"""Accepts a name and a password, and a code beside them for modules that ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.instance import Instance
from broker.model import USERNAME, Principal, ReceivedToken, Requester, Secret
from broker.ports import Authenticator
from handlers.members import text_member

MAX_USERNAME_LENGTH = 256
MAX_PASSWORD_LENGTH = 1024
MAX_OTP_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a password, and a one-time code if one came; all unverified. ``requester`` sent
    them, and says nothing about whose they are."""

    username: str
    password: Secret
    otp: Secret | None = None
    requester: Requester | None = None

    @property
    def address(self) -> str | None:
        """The client's, where the transport knows it."""
        return None if self.requester is None else self.requester.address

    @property
    def sender(self) -> str | None:
        """The authenticated requester, under a name that cannot be another transport's."""
        found = self.requester
        if found is None or found.id is None:
            return None
        return f"{'key' if found.by_key else found.transport}:{found.id}"


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
            requester=token.requester,
        )

    async def validate(self, credential: Credential, instance: Instance, now: float) -> Principal:
        """Raises AuthenticationFailed."""
        user = await self._authenticator.authenticate(
            instance.realm,
            credential.username,
            credential.password,
            credential.address or credential.sender,
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
