"""Pages of a query's answer (CREST): how many, from where on, in which order.

A page is found by the last id of the page before, so that what is issued or cancelled meanwhile
neither repeats nor hides anything else. The cookie says that id under a MAC which binds it to the
query and to the realm of whoever asked: it opens the next page of that query and no other.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.errors import InvalidRequest

MAX_PAGE_SIZE = 10_000
MAX_COOKIE_LENGTH = 4096
MAC_BYTES = 16

POLICIES = ("NONE", "ESTIMATE", "EXACT")
SORT_KEYS = frozenset(
    f"{sign}{slash}{name}"
    for sign in ("", "+")
    for slash in ("", "/")
    for name in ("_id", "token_id")
)

PARAMETERS = (
    "_pageSize",
    "_pagedResultsCookie",
    "_pagedResultsOffset",
    "_sortKeys",
    "_totalPagedResultsPolicy",
)


@dataclass(frozen=True, slots=True)
class PageWanted:
    """``size`` None asks for all at once; ``counted`` also for how many there are in all."""

    size: int | None = None
    cookie: str | None = None
    counted: bool = False


def wanted(query: Mapping[str, str]) -> PageWanted:
    """What the parameters of a query ask for. Raises InvalidRequest."""
    size = _number(query, "_pageSize")
    cookie = query.get("_pagedResultsCookie") or None
    if size is not None and size > MAX_PAGE_SIZE:
        raise InvalidRequest(f"_pageSize is up to {MAX_PAGE_SIZE}")
    if cookie is not None and not size:
        raise InvalidRequest("send _pageSize along with _pagedResultsCookie")
    if _number(query, "_pagedResultsOffset"):
        raise InvalidRequest("_pagedResultsOffset is not offered; use _pagedResultsCookie")
    policy = query.get("_totalPagedResultsPolicy", "NONE").upper()
    if policy not in POLICIES:
        raise InvalidRequest(f"_totalPagedResultsPolicy is one of {', '.join(POLICIES)}")
    # A plus that was not escaped arrives as a blank.
    order = query.get("_sortKeys", "").replace(" ", "+")
    if order and order not in SORT_KEYS:
        raise InvalidRequest("tokens come in order of token_id alone; leave _sortKeys out")
    return PageWanted(size or None, cookie, policy != "NONE")


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(2**31))):
        raise InvalidRequest(f"{name} is a whole number from 0 on")
    return int(text)


class PageCookies:
    """Makes and reads the cookies. ``key`` is shared by the brokers of a store."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def made(self, last: str, query: Sequence[str | None]) -> str:
        """The cookie for the page after ``last``; ``query`` is all that the query depends on."""
        text = last.encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64encode(self._mac(text, query) + text).decode().rstrip("=")

    def read(self, cookie: str, query: Sequence[str | None]) -> str:
        """The id that the cookie was made with. Raises InvalidRequest for any other cookie."""
        if len(cookie) > MAX_COOKIE_LENGTH:
            raise _foreign()
        try:
            padded = cookie + "=" * (-len(cookie) % 4)
            given = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise _foreign() from None
        mac, text = given[:MAC_BYTES], given[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(text, query)):
            raise _foreign()
        return text.decode("utf-8", "surrogatepass")

    def _mac(self, text: bytes, query: Sequence[str | None]) -> bytes:
        mac = hmac.new(self._key, digestmod="sha256")
        for part in (text, *map(_bytes, query)):
            mac.update(len(part).to_bytes(4, "big"))
            mac.update(part)
        return mac.digest()[:MAC_BYTES]


def _bytes(value: str | None) -> bytes:
    """None and the empty string are told apart."""
    return b"" if value is None else b"=" + value.encode("utf-8", "surrogatepass")


def _foreign() -> InvalidRequest:
    return InvalidRequest(
        "this _pagedResultsCookie is not of this query; ask for the first page, without one"
    )
