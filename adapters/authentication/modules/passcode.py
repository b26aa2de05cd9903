"""``passcode``: a code that an administrator gave out, as a second factor or for a password."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.passcodes import KIND, REMEMBERED_SECONDS, Passcodes
from adapters.authentication.kinds import Parts
from adapters.authentication.modules.totp import METHODS, shown_code, with_otp
from adapters.instances.members import Members
from broker.authentication import FAILED, OTP_PROMPT, AuthModule, Evidence, Identity, MoreNeeded
from broker.errors import AuthenticationFailed
from broker.model import Secret
from broker.ports import UserStore

OTP, PASSWORD = "otp", "password"
USES = (OTP, PASSWORD)


@dataclass(frozen=True, slots=True)
class PasscodeModule:
    """A second factor for whom a module before it knows; with ``alone`` the passcode comes where a
    password would, and says by itself which local user it is."""

    name: str
    passcodes: Passcodes
    users: UserStore = field(repr=False)
    alone: bool = False

    @property
    def headers(self) -> frozenset[str]:
        return frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded (a second factor without a code), and
        Unavailable."""
        if self.alone:
            return await self._instead(evidence)
        code = shown_code(evidence)
        if known is None:
            await self._work_for_nobody(evidence, code)
            raise AuthenticationFailed(FAILED, detail="a second factor needs a first")
        if code is None:
            raise MoreNeeded((OTP_PROMPT,), detail="no passcode came")
        return await self._spending(evidence, known, code)

    async def close(self) -> None:
        return None

    async def _instead(self, evidence: Evidence) -> Identity:
        """In the place of a password. A name that is nobody's costs the same."""
        if not evidence.username or not evidence.password:
            raise AuthenticationFailed(FAILED, detail="no name and passcode came")
        user = await self.users.get(evidence.realm, evidence.username)
        known = Identity(evidence.username, {}, foreign=None)
        if user is not None:
            known = Identity(user.name, user.attributes, foreign=None)
        found = await self._spending(evidence, known, evidence.password)
        if user is None or not user.active:
            raise AuthenticationFailed(FAILED, detail="no active local user has that name")
        return found

    async def _spending(self, evidence: Evidence, known: Identity, code: Secret) -> Identity:
        owner = Owner.of(evidence.realm, known)
        passcode = await self.passcodes.shown(owner, code, evidence.now)
        return replace(
            known,
            methods=with_otp(known) if known.methods else METHODS,
            one_time=passcode.one_time(owner),
            one_time_until=passcode.expires_at + REMEMBERED_SECONDS,
        )

    async def _work_for_nobody(self, evidence: Evidence, code: Secret | None) -> None:
        """What a wrong passcode costs, so that the time of a refusal does not say which of the two
        was wrong."""
        owner = Owner(evidence.realm, evidence.username or "")
        await self.passcodes.compared(owner, code or Secret(""))


class PasscodeKind:
    """Its key is ``use``."""

    name = KIND
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only("use")
        use = members.text("use", OTP)
        if use not in USES:
            members.wrong("use", f"choose one of {', '.join(USES)}")
        return PasscodeModule(name, Passcodes(parts.factors), parts.users, use == PASSWORD)
