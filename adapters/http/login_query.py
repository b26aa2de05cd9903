"""What the query of a login says: who is to check it, and whether a session is wanted."""

from __future__ import annotations

from adapters.authentication.draft import MODULE, SERVICE
from adapters.http.call import Call
from broker.errors import InvalidRequest
from broker.output_options import AuthTarget

INDEX_TYPE, INDEX_VALUE = "authIndexType", "authIndexValue"
SHORT = (SERVICE, MODULE)
"""AM's login pages write ``service=NAME`` and ``module=NAME``; a client that does must not be
logged in by anything else."""

NO_SESSION = "noSession"
MAX_TARGET_LENGTH = 256

HOW_TO_NAME = (
    "name a chain or a module: authIndexType=service or module, and authIndexValue=NAME; "
    "or service=NAME, or module=NAME"
)


def target(call: Call) -> AuthTarget | None:
    """The chain or module that the caller names, if any. Raises InvalidRequest, for two too."""
    said = [found for found in (_indexed(call), *(_short(call, each) for each in SHORT)) if found]
    if any(each != said[0] for each in said):
        raise InvalidRequest(f"the query names two that are to check the login; {HOW_TO_NAME}")
    return said[0] if said else None


def wants_session(call: Call) -> bool:
    """False where the caller wants to know alone whether the login is right (``noSession``)."""
    return "true" not in map(str.lower, call.request.query.getall(NO_SESSION, ()))


def text(named: AuthTarget) -> str:
    """As settings write it: ``service|NAME``."""
    return f"{named.index_type}|{named.index_value}"


def read(written: str) -> AuthTarget | None:
    """Back from ``text``; None from nothing."""
    kind, _, name = written.partition("|")
    return AuthTarget(kind, name) if written else None


def _indexed(call: Call) -> AuthTarget | None:
    kind, name = _once(call, INDEX_TYPE), _once(call, INDEX_VALUE)
    if not kind and not name:
        return None
    if kind not in (SERVICE, MODULE):
        raise InvalidRequest(HOW_TO_NAME)
    return _of(kind, name)


def _short(call: Call, kind: str) -> AuthTarget | None:
    return _of(kind, _once(call, kind)) if kind in call.query else None


def _of(kind: str, name: str) -> AuthTarget:
    if not 0 < len(name) <= MAX_TARGET_LENGTH:
        raise InvalidRequest(HOW_TO_NAME)
    return AuthTarget(kind, name)


def _once(call: Call, name: str) -> str:
    """A parameter, empty where there is none. Raises InvalidRequest for one that came twice: who
    stands in front may have read the other one."""
    values = call.request.query.getall(name, ())
    if len(values) > 1:
        raise InvalidRequest(f"give {name} once")
    return values[0] if values else ""
