"""How a row is written that speaks of a mistake, and the mistakes of `/rest-sts` around a request.

What is behind most of them is a row of `test_error_table`; its title, or a pattern, names it.
"""

from __future__ import annotations

from tests.rest_sts.rows import Answered, Probe, Row, Section, Verdict, tested


def _row(
    situation: str, status: int | None, note: str, *behind: str | Probe, verdict: Verdict
) -> Row:
    titles = tuple(each for each in behind if isinstance(each, str))
    probes = tuple(each for each in behind if not isinstance(each, str))
    answered = (Answered(titles),) if titles else ()
    return Row(situation, verdict, note, (*answered, *probes), status)


def same(situation: str, status: int | None, note: str, *behind: str | Probe) -> Row:
    return _row(situation, status, note, *behind, verdict=Verdict.SUPPORTED)


def changed(situation: str, status: int, note: str, *behind: str | Probe) -> Row:
    return _row(situation, status, note, *behind, verdict=Verdict.BETTER)


ENVELOPE = Section(
    "Mistakes around a request",
    "Method, action, path and body.",
    (
        same(
            "unknown `_action` without a session",
            401,
            "`Unauthorized`.",
            "unknown action without session",
            "unknown action in an ended session",
        ),
        same(
            "unknown `_action` in a session",
            501,
            "Names those there are.",
            "unknown action in a session",
            "action in upper case",
        ),
        same(
            "no `_action` without a session",
            401,
            "A create, from protocol 2.1.",
            "no action without session",
            "no action, protocol 2.1, no session",
        ),
        same("no `_action` in a session", 400, "Nothing to create.", "no action in a session"),
        same(
            "no `_action` before protocol 2.1",
            400,
            "Asks for one.",
            "no action, protocol 2.0",
            "no action, protocol 1.0",
        ),
        same(
            "protocol version too high, or none",
            400,
            "Says what is supported.",
            "protocol's *",
            "protocol 1.1",
            "protocol no number",
        ),
        same("GET", 501, "As in AM.", "GET", "GET in a session"),
        same(
            "PUT, PATCH",
            501,
            "As in AM.",
            "PUT",
            "PUT in a session",
            "PATCH",
            "PATCH by override",
        ),
        same(
            "DELETE, a query or OPTIONS without a session",
            401,
            "As in AM.",
            "DELETE without session",
            "query without session",
            "OPTIONS without session",
        ),
        same(
            "DELETE or a query in a session",
            400,
            "As in AM.",
            "DELETE in a session",
            "DELETE with the session in the cookie",
            "query in a session",
        ),
        same(
            "a method that HTTP has not, in `X-HTTP-Method-Override`",
            405,
            "Says so.",
            "unknown method by *",
        ),
        same(
            "unknown instance",
            404,
            "Names the resource.",
            "unknown instance",
            "deeper than an instance",
            "instance in another letter case",
            "instance of the root realm in a sub realm",
            "no instance named",
            "* at an unknown instance",
            "GET on an unknown instance",
        ),
        same(
            "body no JSON, or with more behind it",
            400,
            "`detail` says where.",
            *(
                f"*: {each}"
                for each in (
                    "body not JSON",
                    "body cut short",
                    "trailing data",
                    "body not UTF-8",
                    "half a surrogate pair",
                    "nested beyond the parser",
                )
            ),
        ),
        changed("body nested too deep", 400, "Bounded.", "*: nested too deep"),
        same(
            "body JSON but no object",
            400,
            "Says so.",
            *(f"*: body {each}" for each in ("null", "an array", "a string", "a number")),
        ),
        same(
            "body empty",
            400,
            "As an empty object.",
            "*: empty body",
            "*: body of blanks",
        ),
        same("body compressed", 415, "Send it plain.", "*: body compressed"),
        changed(
            "body too large",
            413,
            "Bounded.",
            tested("http/test_limits::test_body_too_large"),
        ),
    ),
)
