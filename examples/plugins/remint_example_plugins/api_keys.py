"""A custom validator: API keys out of a file.

Each line of the file holds the SHA-256 of a key in hex, a blank, and the name of its holder. A key
is a long random text, so that its plain hash cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from broker.errors import InvalidRequest, InvalidToken
from broker.plug_ins import CustomInput, Validated

FILE_VARIABLE = "EXAMPLE_API_KEYS"
MAX_KEY_LENGTH = 256


class ApiKeyFile:
    """Takes the key from the member ``api_key``, else from the header that the instance names."""

    def __init__(self) -> None:
        self._path = Path(os.environ[FILE_VARIABLE])

    def validate(self, given: CustomInput) -> Validated:
        """A plain function: it reads a file, so the broker runs it in a thread.

        The holder is nobody of the broker's users: ``local=True`` would say that it is one.
        """
        digest = hashlib.sha256(_key(given).encode()).hexdigest()
        for line in self._path.read_text().splitlines():
            known, _, holder = line.partition(" ")
            if known == digest:
                return Validated(
                    holder, attributes={"department": ("machines",)}, state={"key": digest[:8]}
                )
        raise InvalidToken("this API key is not known here")


def _key(given: CustomInput) -> str:
    key = given.token.unverified.get("api_key")
    if key is None and "api_key_header_key" in given.values:
        key = given.values["api_key_header_key"].reveal()
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH:
        raise InvalidRequest("send a string api_key, or the header that this instance names")
    return key
