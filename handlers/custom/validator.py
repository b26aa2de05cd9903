"""Accepts the tokens that a plug-in vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from broker.errors import Conflict, InvalidToken
from broker.instance import Instance
from broker.mapping import wrong_answer
from broker.model import Principal, ReceivedToken, TokenType
from broker.plug_ins import NOTHING, VALIDATOR, CustomInput, PlugIns, Validated
from broker.ports import SessionStore, TokenValidator, UserStore
from broker.trust import SUBJECT_MARK, account
from handlers.session.validator import SessionValidator

SCHEME = "plug-in://"
MAX_NAME_LENGTH = 256
NOBODY = "the custom validator of this instance named nobody"


class CustomValidators:
    """Makes the validators of custom token types."""

    def __init__(self, plug_ins: PlugIns, sessions: SessionStore, users: UserStore) -> None:
        self._plug_ins = plug_ins
        self._sessions = SessionValidator(sessions, users)
        self._users = users

    def validator(self, token_type: TokenType, name: str) -> TokenValidator:
        """That of one type, which asks the plug-in called ``name``."""
        return CustomValidator(token_type, name, self._plug_ins, self._sessions, self._users)


class CustomValidator:
    """Asks the plug-in called ``name`` who a token of ``token_type`` speaks for.

    A session that the plug-in names must stand, and a local user must be there and active: the
    plug-in says whom a token means, not that an account is good.
    """

    def __init__(
        self,
        token_type: TokenType,
        name: str,
        plug_ins: PlugIns,
        sessions: SessionValidator,
        users: UserStore,
    ) -> None:
        self._type = token_type
        self._name = name
        self._plug_ins = plug_ins
        self._sessions = sessions
        self._users = users

    @property
    def token_type(self) -> TokenType:
        return self._type

    def parse(self, token: ReceivedToken) -> ReceivedToken:
        """What it must hold is for the plug-in to say."""
        return token

    async def validate(
        self, credential: ReceivedToken, instance: Instance, now: float
    ) -> Principal:
        """Raises Conflict if the plug-in names nobody, InvalidToken for an account that is no good,
        and what ``PlugIns.call`` raises."""
        target = instance.auth_targets.get(self._type)
        told = CustomInput(
            instance=instance.id,
            realm=instance.realm,
            token=credential,
            now=int(now),
            context=target.context if target is not None else NOTHING,
            values=credential.context,
        )
        said = await self._plug_ins.call(VALIDATOR, self._name, told)
        if said is None:
            raise Conflict(NOBODY, detail=f"the plug-in {self._name} answered None")
        if not isinstance(said, Validated):
            raise wrong_answer(self._name, "Validated or None")
        found = await self._principal(said, instance, now)
        ends = [each for each in (found.not_after, self._seconds(said.not_after)) if each]
        return replace(
            found,
            method=self._type,
            attributes=self._attributes(said, found),
            not_after=min(ends, default=None),
            state=said.state,
        )

    async def _principal(self, said: Validated, instance: Instance, now: float) -> Principal:
        if said.session_id is not None:
            return await self._of_session(said, instance, now)
        name: object = said.name
        if not name:
            raise Conflict(NOBODY, detail=f"the plug-in {self._name} answered without a name")
        if not isinstance(name, str) or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
            raise wrong_answer(self._name, f"a printable name, up to {MAX_NAME_LENGTH} characters")
        authenticated_at = self._seconds(said.authenticated_at) or int(now)
        if not said.local:
            return Principal(
                name=name,
                realm=instance.realm,
                method=self._type,
                authenticated_at=authenticated_at,
                attributes={},
                foreign=account(SCHEME + self._type.replace(SUBJECT_MARK, "%23"), name),
            )
        user = await self._users.get(instance.realm, name)
        if user is None or not user.active:
            raise InvalidToken("the token speaks for nobody who has an account here")
        return Principal(
            name=user.name,
            realm=instance.realm,
            method=self._type,
            authenticated_at=authenticated_at,
            attributes=user.attributes,
        )

    async def _of_session(self, said: Validated, instance: Instance, now: float) -> Principal:
        if not said.session_id:
            raise Conflict(NOBODY, detail=f"the plug-in {self._name} answered an empty session")
        found = await self._sessions.validate(said.session_id, instance, now)
        if said.name is not None and said.name != found.name:
            raise wrong_answer(self._name, "the name of the session's user")
        return found

    def _seconds(self, said: object) -> int | None:
        if said is None:
            return None
        if not isinstance(said, int) or said <= 0:
            raise wrong_answer(self._name, "a time in whole seconds")
        return said

    def _attributes(
        self, said: Validated, found: Principal
    ) -> Mapping[str, tuple[str, ...]] | None:
        """The plug-in's own, if it has any to tell."""
        if said.attributes is None:
            return found.attributes
        try:
            given = {
                name: (values,) if isinstance(values, str) else tuple(values)
                for name, values in said.attributes.items()
            }
        except (AttributeError, TypeError):
            raise wrong_answer(self._name, "a mapping of attributes") from None
        if not all(isinstance(each, str) for values in given.values() for each in values):
            raise wrong_answer(self._name, "attributes that are strings")
        return given
