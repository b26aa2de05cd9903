"""What a directory says of somebody, in the words of a profile."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from adapters.authentication.modules.ldap.options import DN, Options
from adapters.authentication.modules.ldap.protocol import Entry

MAX_VALUE_BYTES = 64 * 1024
MAX_NAME_LENGTH = 1024


def wanted(options: Options) -> tuple[str, ...]:
    """The attributes that a login needs, each once."""
    conditions = (options.enabled_by, options.disabled_by)
    needed = [
        *options.attributes.values(),
        options.name_attribute,
        *(each.attribute for each in conditions if each is not None),
    ]
    return tuple(dict.fromkeys(each for each in needed if each.lower() != DN))


def name(entry: Entry, options: Options) -> str | None:
    """As the directory writes it; None where it has no such name, or several."""
    if options.name_attribute.lower() == DN:
        return entry.dn
    values = entry.values.get(options.name_attribute.lower(), ())
    if len(values) != 1:
        return None
    try:
        found = values[0].decode()
    except UnicodeDecodeError:
        return None
    return (
        found if found.strip() and found.isprintable() and len(found) <= MAX_NAME_LENGTH else None
    )


def attributes(entry: Entry, options: Options) -> dict[str, tuple[str, ...]]:
    """By profile name, what is there; binary values in base64, what is no text left out."""
    return read(entry, options.attributes, options.binary)


def read(
    entry: Entry, attributes: Mapping[str, str], binary: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    """The same of other attributes, by the names that they are to have."""
    found: dict[str, tuple[str, ...]] = {}
    for key, attribute in attributes.items():
        lower = attribute.lower()
        if lower == DN:
            found[key] = (entry.dn,)
            continue
        small = (each for each in entry.values.get(lower, ()) if len(each) <= MAX_VALUE_BYTES)
        texts = (_text(each, lower in binary) for each in small)
        values = tuple(text for text in texts if text is not None)
        if values:
            found[key] = values
    return found


def disabled(entry: Entry, options: Options) -> str | None:
    """Why the account may not be used; None for one that may."""
    on, off = options.enabled_by, options.disabled_by
    if on is not None and not on.holds(entry.values.get(on.attribute.lower(), ())):
        return f"the account is not enabled: {on.attribute} does not say so"
    if off is not None and off.holds(entry.values.get(off.attribute.lower(), ())):
        return f"the account is disabled: {off.attribute} says so"
    return None


def _text(value: bytes, binary: bool) -> str | None:
    if binary:
        return base64.b64encode(value).decode()
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
