"""Logins and the sessions that they open."""

from __future__ import annotations

from adapters.http.openapi import examples
from adapters.http.openapi.row import NEGOTIATE, PERHAPS_SESSION, REALM, SESSION, Row, tagged

_NAMED = {"tokenId": examples.SESSION}


def _of_a_session(path: str, *, deprecated: bool = False) -> tuple[Row, ...]:
    parameters = () if deprecated else ("tokenId",)
    takes = None if deprecated else "session.named"
    bodies = {} if deprecated else {"named": _NAMED}
    return (
        Row(
            "POST",
            path,
            "Ask whether a session stands.",
            action="validate",
            takes=takes,
            needs_body=False,
            gives="session.valid",
            who=PERHAPS_SESSION,
            parameters=parameters,
            examples={f"validate.{name}": body for name, body in bodies.items()},
            deprecated=deprecated,
        ),
        Row(
            "POST",
            path,
            "Read whose a session is and until when it stands.",
            action="getSessionInfo",
            takes=takes,
            needs_body=False,
            gives="session.info",
            who=PERHAPS_SESSION,
            parameters=parameters,
            refusals=(401,),
            examples={f"getSessionInfo.{name}": body for name, body in bodies.items()},
            deprecated=deprecated,
        ),
        Row(
            "POST",
            path,
            "End a session.",
            action="logout",
            takes=takes,
            needs_body=False,
            gives="session.ended",
            who=PERHAPS_SESSION,
            parameters=parameters,
            refusals=(401,),
            examples={f"logout.{name}": body for name, body in bodies.items()},
            deprecated=deprecated,
        ),
    )


ROWS = tagged(
    "Logins",
    (
        Row(
            "POST",
            f"/json{REALM}/authenticate",
            "Log in: at once with name and password in the head, or step by step. Without both the "
            "answer asks back; send it again with the callbacks filled in. A module of the realm "
            "may read other headers, a client certificate, or Authorization: Negotiate.",
            takes="callbacks.filled",
            needs_body=False,
            gives="login",
            heads=("Set-Cookie", "WWW-Authenticate"),
            who=NEGOTIATE,
            parameters=(
                *("username", "password", "authIndexType", "authIndexValue"),
                *("loginService", "loginModule", "noSession"),
            ),
            refusals=(401, 429),
            examples={
                "callbacks": {
                    "authId": examples.AUTH_ID,
                    "callbacks": [
                        {
                            "type": "NameCallback",
                            "output": [{"name": "prompt", "value": "User name"}],
                            "input": [{"name": "IDToken1", "value": examples.USER}],
                        },
                        {
                            "type": "PasswordCallback",
                            "output": [{"name": "prompt", "value": "Password"}],
                            "input": [{"name": "IDToken2", "value": examples.PASSWORD}],
                        },
                    ],
                }
            },
        ),
        *_of_a_session(f"/json{REALM}/sessions"),
        *_of_a_session(f"/json{REALM}/sessions/{{tokenId}}", deprecated=True),
        Row(
            "POST",
            f"/json{REALM}/users",
            "Read whose the session is that comes with the request.",
            action="idFromSession",
            gives="identity",
            who=SESSION,
            refusals=(401,),
        ),
        Row(
            "GET",
            f"/json{REALM}/serverinfo/*",
            "Read what clients of AM ask before they log in, such as the cookie's name.",
            gives="serverinfo",
        ),
    ),
)
