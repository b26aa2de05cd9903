"""``/json/…`` paths: the realm in front, the resource behind.

AM writes a realm as ``/json/realms/root/realms/X/realms/Y/resource``, and wrote it as
``/json/X/Y/resource``; both are read.
"""

from __future__ import annotations

from broker.model import ROOT_REALM, normal_realm


def split(path: str, resources: frozenset[str]) -> tuple[str, str, str] | None:
    """(realm, resource, what follows it), or None if no resource of that set is in the path."""
    segments = [segment for segment in path.split("/") if segment]
    for index, segment in enumerate(segments):
        if segment in resources:
            realm = _realm(segments[:index])
            if realm is None:
                return None
            return realm, segment, "/".join(segments[index + 1 :])
    return None


def of_oauth2(path: str) -> str | None:
    """The realm in ``/oauth2/realms/<path>/…``: its own path, or ``root/realms/X`` as AM has it.

    No realm is called root. None if the path names no realm.
    """
    segments = [segment for segment in path.split("/") if segment]
    if segments[:1] == ["root"]:
        return _realm(["realms", *segments])
    return normal_realm(path)


def _realm(segments: list[str]) -> str | None:
    if segments[:1] != ["realms"]:
        return ROOT_REALM + "/".join(segments)
    names = segments[1::2]
    well_formed = all(word == "realms" for word in segments[::2]) and names[:1] == ["root"]
    if not well_formed or len(segments) % 2:
        return None
    return ROOT_REALM + "/".join(names[1:])
