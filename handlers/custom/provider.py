"""Issues the tokens that a plug-in makes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from broker.errors import UnsupportedTokenType
from broker.instance import DEFAULT_LIFETIME_SECONDS, Instance, SigningKey
from broker.mapping import custom_translation, wrong_answer
from broker.model import IssuedToken, RequestedToken, TokenType
from broker.plug_ins import PROVIDER, PlugIns, Profiles
from broker.policy import shown
from broker.ports import IssueOrder, TokenName, TokenProvider

MAX_ANSWER_BYTES = 256 * 1024
UUID_BYTES = 16
PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""What is no JSON by itself is the plug-in's to write, not ours to guess."""


class CustomProviders:
    """Makes the providers of custom token types."""

    def __init__(self, plug_ins: PlugIns, profiles: Profiles) -> None:
        self._plug_ins = plug_ins
        self._profiles = profiles

    def provider(self, token_type: TokenType, name: str) -> TokenProvider:
        """That of one type, which asks the plug-in called ``name``."""
        return CustomProvider(token_type, name, self._plug_ins, self._profiles)


class CustomProvider:
    """Hands out what the plug-in called ``name`` answers. Nothing is kept of such a token, so it
    cannot be validated, listed or cancelled here."""

    def __init__(
        self, token_type: TokenType, name: str, plug_ins: PlugIns, profiles: Profiles
    ) -> None:
        self._type = token_type
        self._name = name
        self._plug_ins = plug_ins
        self._profiles = profiles

    @property
    def token_type(self) -> TokenType:
        return self._type

    def parse(self, requested: RequestedToken, instance: Instance) -> None:
        """What it may hold is for the plug-in to say."""

    def token_id(self, entropy: bytes) -> str:
        """A random UUID (RFC 9562, version 4), which the plug-in may put into its token."""
        return str(uuid.UUID(bytes=entropy[:UUID_BYTES], version=4))

    def lifetime_seconds(self, instance: Instance) -> int:
        """What the plug-in is told; how long its token lives is its own affair."""
        return DEFAULT_LIFETIME_SECONDS

    def signing_key(self, instance: Instance) -> SigningKey | None:
        """None: a plug-in signs with a key of its own, if at all."""
        return None

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        """Empty: a plug-in reads the profile itself."""
        return {}

    def persists(self, instance: Instance) -> bool:
        """Never."""
        return False

    async def issue(self, order: IssueOrder) -> IssuedToken:
        """Raises PlugInFailed for an answer that is no JSON or too long."""
        told = custom_translation(order, await self._profiles.profile(order.principal))
        said = await self._plug_ins.call(PROVIDER, self._name, told)
        try:
            written = orjson.dumps(said, option=PLAIN)
        except TypeError:  # the library's own error is one
            raise wrong_answer(self._name, "a JSON value") from None
        if len(written) > MAX_ANSWER_BYTES:
            raise wrong_answer(self._name, f"up to {MAX_ANSWER_BYTES} bytes of JSON")
        return IssuedToken(
            type=self._type,
            token_id=order.claim.token_id,
            alias=order.claim.token_id,
            digest=hashlib.sha256(written).digest(),
            # Read back: from here on nobody else holds it.
            body=orjson.loads(written),
        )

    def name(self, state: Mapping[str, Any]) -> TokenName:
        """Raises UnsupportedTokenType: there is no record to find."""
        raise UnsupportedTokenType(f"{shown(self._type)} tokens are not kept here")
