"""What an instance's mapping context names of the HTTP request, for a custom validator.

Nothing else of the head is handed on. Messages have no such head: there a plug-in gets no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.http.call import Call, utf8
from broker.errors import InvalidRequest
from broker.instance import Instance
from broker.model import Secret, TokenType
from broker.plug_ins import named_cookies, named_headers

Named = Callable[[TokenType], Mapping[str, Secret]]


def named(call: Call, instance: Instance) -> Named | None:
    """By token type, the values of the header and the cookie that its context names; None for an
    instance without plug-ins that validate.

    Only a type that a plug-in of the instance validates gets any. Raises InvalidRequest for a
    header or cookie that came more than once, since nobody could say which one counts.
    """

    if not instance.custom_validators:
        return None

    def values(token_type: TokenType) -> Mapping[str, Secret]:
        if token_type not in instance.custom_validators:
            return {}
        target = instance.auth_targets.get(token_type)
        found = {}
        for key, name in named_headers(target).items():
            given = call.request.headers.getall(name, [])
            if len(given) > 1:
                raise InvalidRequest(f"send the header {name} once")
            if given:
                found[key] = Secret(utf8(given[0]))
        for key, name in named_cookies(target).items():
            cookie = call.cookie(name)
            if _times_sent(call, name) > 1:
                raise InvalidRequest(f"send the cookie {name} once")
            if cookie is not None:
                found[key] = Secret(utf8(cookie))
        return found

    return values


def _times_sent(call: Call, name: str) -> int:
    """How often a cookie came (RFC 6265, section 4.2.1): hosts beside ours can set one as well."""
    sent = ";".join(call.request.headers.getall("Cookie", ())).split(";")
    return sum(each.partition("=")[0].strip() == name for each in sent)
