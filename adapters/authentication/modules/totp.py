"""``totp``: a second factor, the code of an authenticator app (RFC 6238)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.totp import (
    DEFAULT_WINDOW,
    KIND,
    MAX_WINDOW,
    NOBODY,
    Authenticators,
    plain,
)
from adapters.authentication.kinds import Parts
from adapters.instances.members import Members
from broker.authentication import FAILED, OTP_PROMPT, AuthModule, Evidence, Identity, MoreNeeded
from broker.errors import AuthenticationFailed
from broker.model import Secret

EVERYONE, ENROLLED = "everyone", "enrolled"
REQUIRED_FOR = (EVERYONE, ENROLLED)
METHODS = ("otp",)  # RFC 8176, section 2
SKIPPED = "no authenticator is enrolled, so no code was asked for"


@dataclass(frozen=True, slots=True)
class TotpModule:
    """Asks whom a module before it knows for the code of their authenticator.

    With ``everyone`` who has none is refused; without, such an account passes, and the audit has
    it. ``window`` is in time steps before and after the present one.
    """

    name: str
    authenticators: Authenticators
    everyone: bool = True
    window: int = DEFAULT_WINDOW

    @property
    def headers(self) -> frozenset[str]:
        return frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded without a code, and Unavailable."""
        code = shown_code(evidence)
        if known is None:
            await self._work_for_nobody(evidence, code)
            raise AuthenticationFailed(FAILED, detail="a second factor needs a first")
        owner = Owner.of(evidence.realm, known)
        found = await self.authenticators.find(owner)
        enrolled = found is not None and found.confirmed
        if not enrolled and not self.everyone:
            return replace(known, note=SKIPPED)
        if code is None:
            raise MoreNeeded((OTP_PROMPT,), detail="no code came")
        asked = found if found is not None and enrolled else NOBODY
        step = asked.step(plain(code), evidence.now, self.window)
        if not enrolled:
            raise AuthenticationFailed(FAILED, detail="no authenticator is enrolled")
        if step is None:
            raise AuthenticationFailed(FAILED, detail="wrong code")
        await self.authenticators.used(owner, asked, step)
        return replace(
            known,
            methods=with_otp(known),
            one_time=f"{KIND}:{owner.realm}:{owner.account}:{step}",
            one_time_until=asked.ends(step, self.window),
        )

    async def close(self) -> None:
        return None

    async def _work_for_nobody(self, evidence: Evidence, code: Secret | None) -> None:
        """What a wrong code costs, so that the time of a refusal does not say which of the two
        was wrong, the password or the code."""
        found = await self.authenticators.find(Owner(evidence.realm, evidence.username or ""))
        (found or NOBODY).step("" if code is None else plain(code), evidence.now, self.window)


def shown_code(evidence: Evidence) -> Secret | None:
    """The code that came with the request, or as the answer to a prompt."""
    return evidence.answers.get(OTP_PROMPT.id, evidence.otp)


def with_otp(known: Identity) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known.methods, *METHODS)))


class TotpKind:
    """Its keys are ``required_for`` and ``window``."""

    name = KIND
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only("required_for", "window")
        required_for = members.text("required_for", EVERYONE)
        if required_for not in REQUIRED_FOR:
            members.wrong("required_for", f"choose one of {', '.join(REQUIRED_FOR)}")
        window = members.whole("window", DEFAULT_WINDOW)
        if not 0 <= window <= MAX_WINDOW:
            members.wrong("window", f"write a whole number from 0 to {MAX_WINDOW}")
        everyone = required_for != ENROLLED
        return TotpModule(name, Authenticators(parts.factors), everyone, window)
