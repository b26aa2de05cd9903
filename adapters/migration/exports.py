"""Reading exports: from whatever form an instance was written in to its flat keys.

Known forms: a body of ``/sts-publish`` (both contexts), what that service answers to a read, an
entity of Amster or of file-based configuration (``restStsGeneral`` and its siblings), and a list of
``key=value`` lines, as ``ssoadm`` prints them.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from adapters.instances.forgerock import DEPLOYMENT, OIDC, SAML2

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_FILES = 10_000
PUBLISH, READ, ENTITY, LINES = "publish body", "published instances", "entity export", "attributes"

_ROOT = "root"  # what AM calls the root realm where a path cannot be empty
_SECTION_PREFIX = "restSts"
_SECTIONS = (DEPLOYMENT, SAML2, OIDC)
_FLAT_SIGN = "deployment-url-element"
_SUFFIXES = (".json", ".properties", ".txt")


class Unreadable(Exception):
    """A file holds no instance; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Export:
    """One instance as it was found. ``members`` are its flat keys, in any of their shapes.

    ``realm`` and ``entity`` are what the file says around them; empty where it says nothing.
    """

    source: str
    form: str
    members: Mapping[str, Any]
    realm: str = ""
    entity: str = ""


def found(paths: Iterable[Path]) -> Iterator[Export]:
    """The instances in files and folders; other files of a folder are passed over.

    Raises Unreadable, and OSError for a file that cannot be opened.
    """
    for path in paths:
        if not path.is_dir():
            exports = list(_read(path))
            if not exports:
                raise Unreadable(f"{path}: there is no REST STS instance in it")
            yield from exports
            continue
        files = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES)
        if len(files) > MAX_FILES:
            raise Unreadable(f"{path}: name a folder with no more than {MAX_FILES} files")
        any_found = False
        for file in files:
            try:
                for export in _read(file):
                    any_found = True
                    yield export
            except Unreadable:
                continue  # an export of everything has files of every kind
        if not any_found:
            raise Unreadable(f"{path}: there is no REST STS instance in it")


def _read(path: Path) -> Iterator[Export]:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # to read a pipe is to wait for whoever writes to it
        raise Unreadable(f"{path}: this is no regular file; copy what it holds into one")
    if found.st_size > MAX_FILE_BYTES:
        raise Unreadable(f"{path}: an export has no more than {MAX_FILE_BYTES} bytes")
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if path.suffix == ".json" or data.lstrip()[:1] == b"{":
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Unreadable(f"{path}: this is no JSON ({error})") from None
        if isinstance(document, dict):
            yield from _instances(str(path), document)
        return
    members = _lines(path, data)
    if _FLAT_SIGN in members:
        yield Export(str(path), LINES, members)


def _instances(source: str, document: Mapping[str, Any]) -> Iterator[Export]:
    if isinstance(document.get("instance_state"), dict):
        yield Export(source, PUBLISH, _flattened(document["instance_state"]))
    elif DEPLOYMENT in document or _FLAT_SIGN in document:
        yield Export(source, PUBLISH, _flattened(document))
    elif _sections(document):
        yield from _entity(source, document, {})
    elif isinstance(document.get("data"), dict) and _sections(document["data"]):
        metadata = document.get("metadata")
        yield from _entity(source, document["data"], metadata if isinstance(metadata, dict) else {})
    else:
        for name, state in document.items():
            if isinstance(state, dict) and DEPLOYMENT in state:
                yield Export(source, READ, _flattened(state), entity=name)


def _entity(source: str, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[Export]:
    """One instance; none where these are the defaults of all, which have no name."""
    members: dict[str, Any] = {}
    for section in _sections(data):
        members.update(data[section])
    realm = metadata.get("realm")
    entity = data.get("_id") or metadata.get("entityId") or ""
    if entity or members.get(_FLAT_SIGN):
        yield Export(source, ENTITY, members, _realm(realm), str(entity))


def _sections(document: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in document.items()
        if name.startswith(_SECTION_PREFIX) and isinstance(value, dict)
    ]


def _realm(realm: Any) -> str:
    """A realm's path: the export may have it as a path, or as the name of its directory entry."""
    if not isinstance(realm, str):
        return ""
    if realm.startswith("/") or "=" not in realm:
        top, _, rest = realm.strip("/").partition("/")
        return "/" + (rest if top == _ROOT else realm.strip("/"))
    parts = [part.strip() for part in realm.split(",")]
    names = [part[2:] for part in reversed(parts) if part.lower().startswith("o=")]
    return "/" + "/".join(names)


def _flattened(state: Mapping[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in state.items():
        if key in _SECTIONS:
            members.update(value if isinstance(value, Mapping) else {})
        else:
            members[key] = value
    return members


def _lines(path: Path, data: bytes) -> dict[str, list[str]]:
    """``key=value`` lines; a key on several lines has several values."""
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: this is no UTF-8 text") from None
    members: dict[str, list[str]] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            members.setdefault(key.strip(), []).append(value.strip())
    return members
