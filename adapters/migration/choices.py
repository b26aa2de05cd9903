"""What the operator decides about an import, beyond what the export says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.instances.forgerock import SECRET_KEYS
from broker.algorithms import XML_SIGNATURES
from broker.model import Secret

SIGNATURES: Mapping[str, str] = {
    **{name: name for name in XML_SIGNATURES},
    **{each: name for name, each in XML_SIGNATURES.items()},
    **{each.rpartition("#")[2]: name for name, each in XML_SIGNATURES.items()},
}
"""What a signature algorithm may be called, to its name here: JOSE's, a URI, or the URI's end."""


class BadChoice(Exception):
    """An option of the import says nothing usable; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Choices:
    """``values`` and ``secrets`` are by instance and key; ``plug_ins`` by the class they replace.

    ``realm``: where all instances go; None for where the export has them. ``realm_keys``: the
    realm's own keys sign in place of the export's key stores.
    """

    realm: str | None = None
    signature_algorithm: str | None = None
    realm_keys: bool = False
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], Secret] = field(default_factory=dict, repr=False)
    plug_ins: Mapping[str, str] = field(default_factory=dict)


def signature_algorithm(named: str | None) -> str | None:
    """Our name of it. Raises BadChoice."""
    if named is None:
        return None
    if named not in SIGNATURES:
        offered = ", ".join(sorted(XML_SIGNATURES))
        raise BadChoice(f"--signature-algorithm is one of {offered}, or rsa-sha1 and its like")
    return SIGNATURES[named]


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` each. Raises BadChoice."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise BadChoice(f"write {option} as NAME=VALUE")
        found[name] = value
    return found


def by_key(option: str, given: Iterable[str]) -> dict[tuple[str, str], str]:
    """``INSTANCE.KEY=VALUE`` each. Raises BadChoice."""
    found: dict[tuple[str, str], str] = {}
    for name, value in pairs(option, given).items():
        instance, dot, key = name.rpartition(".")
        if not dot or not instance or not key:
            raise BadChoice(f"write {option} as INSTANCE.KEY=…, with the instance's id and a key")
        found[instance.strip("/"), key] = value
    return found


def secrets(given: Iterable[str]) -> dict[tuple[str, str], Secret]:
    """Read from their files, without the line feed at the end. Raises BadChoice, OSError."""
    found: dict[tuple[str, str], Secret] = {}
    for (instance, key), file in by_key("--secret", given).items():
        if key not in SECRET_KEYS:
            raise BadChoice(f"{key} is no secret; give it with --set. {_SECRETS}")
        try:
            text = Path(file).read_text().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise BadChoice(f"{file}: this is no UTF-8 text") from None
        found[instance, key] = Secret(text)
    return found


def values(given: Iterable[str]) -> dict[tuple[str, str], str]:
    """Raises BadChoice."""
    found = by_key("--set", given)
    for _, key in found:
        if key in SECRET_KEYS:
            raise BadChoice(f"{key} is a secret: put it into a file, and give it with --secret")
    return found


_SECRETS = f"Secrets are {', '.join(sorted(SECRET_KEYS))}"
