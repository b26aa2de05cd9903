"""Reading an object of which every scalar may be a JSON string, collecting every problem."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from broker.model import Secret

MAX_TEXT_LENGTH = 4096
MAX_LIST_LENGTH = 256
MAX_CERTIFICATE_LENGTH = 32 * 1024

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_WHOLE = re.compile("[0-9]+")

# What no XML can carry (XML 1.0 section 2.2), and line breaks, which no name or address needs.
_CONTROL = re.compile("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT_LENGTH and not _CONTROL.search(value)


class Members:
    """The members of one object, by key.

    A key that is absent, null or blank counts as not given. What is wrong goes to ``problems`` as
    (key, sentence), the key with ``prefix`` before it, and reading goes on with a harmless value,
    so that one answer names it all.
    """

    def __init__(
        self, value: Any, key: str, problems: list[tuple[str, str]], *, prefix: str = ""
    ) -> None:
        self.problems = problems
        self._prefix = prefix
        if value is not None and not isinstance(value, Mapping):
            self.wrong(key, "write a JSON object")
        self._members: Mapping[str, Any] = value if isinstance(value, Mapping) else {}

    def wrong(self, key: str, sentence: str) -> None:
        self.problems.append((self._prefix + key, sentence))

    def only(self, *known: str) -> None:
        """Complain of every other key: it would do nothing, and was meant to do something."""
        for key in self._members:
            if key not in known:
                self.wrong(key, f"there is no such key; there are {', '.join(known)}")

    def value(self, key: str) -> Any:
        return self._members.get(key)

    def text(self, key: str, default: str = "") -> str:
        value = self._members.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
            self.wrong(key, f"write a string of up to {MAX_TEXT_LENGTH} characters")
            return default
        if _CONTROL.search(value):
            self.wrong(key, "write text without control characters")
            return default
        return value.strip() or default

    def optional(self, key: str) -> str | None:
        return self.text(key) or None

    def secret(self, key: str) -> Secret | None:
        """A password, to the letter: blanks around it belong to it. None where it is empty."""
        value = self._members.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
            self.wrong(key, f"write a string of up to {MAX_TEXT_LENGTH} characters")
            return None
        return Secret(value)

    def certificate(self, key: str) -> bytes | None:
        """One certificate in PEM, or its DER in base64. Returns the DER, which nobody has read."""
        value = self._members.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, str) and len(value) <= MAX_CERTIFICATE_LENGTH:
            found = _PEM.fullmatch(value.strip())
            try:
                return base64.b64decode("".join((found[1] if found else value).split()), None, True)
            except (binascii.Error, ValueError):
                pass
        self.wrong(key, "write one certificate in PEM, or its DER in base64")
        return None

    def section(self, key: str) -> Members:
        """The object of that name, its keys told with its own name before them."""
        prefix = f"{self._prefix}{key}."
        if self._members.get(key) is not None and not isinstance(self._members[key], Mapping):
            self.wrong(key, "write an object")
            return Members({}, key, self.problems, prefix=prefix)
        return Members(self._members.get(key), key, self.problems, prefix=prefix)

    def names(self) -> list[str]:
        """The keys that are there."""
        return list(self._members)

    def flag(self, key: str) -> bool:
        value = self._members.get(key)
        if isinstance(value, bool):
            return value
        text = value.strip().lower() if isinstance(value, str) else None
        if value is not None and text not in ("", "true", "false"):
            self.wrong(key, 'write "true" or "false"')
        return text == "true"

    def whole(self, key: str, default: int) -> int:
        value = self._members.get(key)
        if value is None or value == "":
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) and len(value) <= 10:
            return int(value)
        self.wrong(key, "write a whole number")
        return default

    def objects(self, key: str) -> list[Members]:
        return [Members(item, key, self.problems) for item in self._list(key)]

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._list(key)
        if not all(map(_is_text, found)):
            self.wrong(key, "write a list of strings without control characters")
            return ()
        return tuple(item.strip() for item in found)

    def name_sets(self, key: str, names: Sequence[str]) -> dict[str, frozenset[str]]:
        """For each of ``names`` that is there its list of strings, which may be empty."""
        inner = self.section(key)
        inner.only(*names)
        given = [name for name in names if inner.value(name) is not None]
        return {name: frozenset(inner.texts(name)) for name in given}

    def text_map(self, key: str) -> dict[str, str]:
        value = self._members.get(key)
        if value is None:
            return {}
        if (
            not isinstance(value, Mapping)
            or len(value) > MAX_LIST_LENGTH
            or not all(map(_is_text, (*value, *value.values())))
        ):
            self.wrong(key, f"write an object of up to {MAX_LIST_LENGTH} strings")
            return {}
        return dict(value)

    def given(self, key: str) -> bool:
        return self._members.get(key) not in (None, "", [], {})

    def _list(self, key: str) -> list[Any]:
        value = self._members.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_LIST_LENGTH:
            self.wrong(key, f"write a list of up to {MAX_LIST_LENGTH} entries")
            return []
        return value
