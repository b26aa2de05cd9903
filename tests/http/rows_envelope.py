"""The mistakes that a request can make before its states matter: method, action, path, body."""

from __future__ import annotations

from tests.http.rows import ENDED, LIVE, Row, cancel, shown_id_token, translate, validate
from tests.support.door import ELEMENT, HEADER, ID_TOKEN, user_input

IN_SESSION = {HEADER: LIVE}

ENVELOPE = [
    Row("unknown action without session", 401, {}, query="_action=issue"),
    Row("unknown action in a session", 501, {}, query="_action=issue", headers=IN_SESSION),
    Row("action in upper case", 501, {}, query="_action=TRANSLATE", headers=IN_SESSION),
    Row("unknown action in an ended session", 401, {}, query="_action=x", headers={HEADER: ENDED}),
    Row("no action without session", 401, {}, query=""),
    Row("no action in a session", 400, {}, query="", headers=IN_SESSION),
    Row(
        "no action, protocol 2.1, no session",
        401,
        {},
        query="",
        headers={"Accept-API-Version": "protocol=2.1"},
    ),
    Row(
        "no action, protocol 2.0", 400, {}, query="", headers={"Accept-API-Version": "protocol=2.0"}
    ),
    Row(
        "no action, protocol 1.0",
        400,
        {},
        query="",
        headers={"Accept-API-Version": "protocol=1.0,resource=2.0"},
    ),
    Row("protocol's major too high", 400, {}, headers={"Accept-API-Version": "protocol=3.0"}),
    Row("protocol's minor too high", 400, {}, headers={"Accept-API-Version": "protocol=2.2"}),
    Row("protocol's name in capitals", 400, {}, headers={"Accept-API-Version": "PROTOCOL=3.0"}),
    Row("protocol 1.1", 400, {}, headers={"Accept-API-Version": "protocol=1.1"}),
    Row("protocol no number", 400, {}, headers={"Accept-API-Version": "protocol=new"}),
    Row("GET", 501, method="GET", query=""),
    Row("GET in a session", 501, method="GET", query="", headers=IN_SESSION),
    Row("PUT", 501, {}, method="PUT", query=""),
    Row("PUT in a session", 501, {}, method="PUT", query="", headers=IN_SESSION),
    Row("PATCH", 501, {}, method="PATCH", query=""),
    Row("PATCH by override", 501, {}, query="", headers={"X-HTTP-Method-Override": "PATCH"}),
    Row("unknown method by override", 405, {}, headers={"X-HTTP-Method-Override": "BREW"}),
    Row("DELETE without session", 401, method="DELETE", query=""),
    Row("DELETE in a session", 400, method="DELETE", query="", headers=IN_SESSION),
    Row(
        "DELETE with the session in the cookie",
        400,
        method="DELETE",
        query="",
        headers={"Cookie": f"{HEADER}={LIVE}"},
    ),
    Row("query without session", 401, method="GET", query="_queryFilter=true"),
    Row("query in a session", 400, method="GET", query="_queryFilter=true", headers=IN_SESSION),
    Row("OPTIONS without session", 401, method="OPTIONS", query=""),
    translate("unknown instance", 404, user_input(), ID_TOKEN, instance="nowhere"),
    translate("deeper than an instance", 404, user_input(), ID_TOKEN, instance=f"{ELEMENT}/deeper"),
    translate(
        "instance in another letter case", 404, user_input(), ID_TOKEN, instance=ELEMENT.upper()
    ),
    translate(
        "instance of the root realm in a sub realm",
        404,
        user_input(),
        ID_TOKEN,
        instance=f"fred/bobo/{ELEMENT}",
    ),
    translate("no instance named", 404, user_input(), ID_TOKEN, instance=""),
    validate("validate at an unknown instance", 404, shown_id_token("x"), instance="nowhere"),
    cancel("cancel at an unknown instance", 404, shown_id_token("x"), instance="nowhere"),
    Row("GET on an unknown instance", 404, method="GET", query="", instance="nowhere"),
]
BODIES = [
    row
    for action in ("translate", "validate", "cancel")
    for row in (
        Row(
            f"{action}: body not JSON", 400, data=b"<xml/>", query=f"_action={action}", detail=True
        ),
        Row(
            f"{action}: body cut short", 400, data=b'{"a": ', query=f"_action={action}", detail=True
        ),
        Row(f"{action}: trailing data", 400, data=b"{} {}", query=f"_action={action}", detail=True),
        Row(f"{action}: empty body", 400, data=b"", query=f"_action={action}"),
        Row(f"{action}: body of blanks", 400, data=b" \r\n ", query=f"_action={action}"),
        Row(f"{action}: body null", 400, data=b"null", query=f"_action={action}"),
        Row(f"{action}: body an array", 400, data=b"[{}]", query=f"_action={action}"),
        Row(f"{action}: body a string", 400, data=b'"text"', query=f"_action={action}"),
        Row(f"{action}: body a number", 400, data=b"12", query=f"_action={action}"),
        Row(
            f"{action}: body not UTF-8",
            400,
            data=b'{"a": "\xff"}',
            query=f"_action={action}",
            detail=True,
        ),
        Row(
            f"{action}: half a surrogate pair",
            400,
            data=b'{"a": "\\ud800"}',
            query=f"_action={action}",
            detail=True,
        ),
        Row(
            f"{action}: nested too deep",
            400,
            data=b'{"a":' * 40 + b"1" + b"}" * 40,
            query=f"_action={action}",
        ),
        Row(
            f"{action}: nested beyond the parser",
            400,
            data=b"[" * 5000,
            query=f"_action={action}",
            detail=True,
        ),
        Row(
            f"{action}: body compressed",
            415,
            data=b"\x1f\x8b",
            query=f"_action={action}",
            headers={"Content-Encoding": "gzip"},
        ),
    )
]
