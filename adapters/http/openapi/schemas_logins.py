"""Bodies of logins and sessions."""

from __future__ import annotations

from adapters.http.authenticate import SUCCESSFUL
from adapters.http.callbacks import MAX_ANSWER_LENGTH, MAX_CALLBACKS
from adapters.http.openapi.shapes import FLAG, MAP, MOMENT, NAME, TEXT, Schema, obj, ref, said


def schemas() -> dict[str, Schema]:
    return {**_logins(), **_sessions()}


def _logins() -> dict[str, Schema]:
    auth_id = said("Sealed; send it back as it is.", TEXT)
    pairs = {"type": "array", "items": obj("", {"name": TEXT, "value": TEXT})}
    filled = obj(
        "",
        {},
        {
            "type": TEXT,
            "output": {"type": "array"},
            "input": {
                "type": "array",
                "items": obj(
                    "",
                    {},
                    {"name": TEXT, "value": {"type": "string", "maxLength": MAX_ANSWER_LENGTH}},
                ),
            },
        },
    )
    asked = obj("", {"type": TEXT, "output": pairs, "input": pairs})
    opened = {
        "tokenId": said("The session: the value of its header or cookie.", TEXT),
        "successUrl": TEXT,
        "realm": TEXT,
    }
    return {
        "login": {"anyOf": [ref("session"), ref("session.none"), ref("callbacks")]},
        "session": obj("The login is done.", opened),
        "session.none": obj(
            "The login is right, and no session was wanted.",
            {"message": {"const": SUCCESSFUL}, "successUrl": TEXT, "realm": TEXT},
        ),
        "callbacks": obj(
            "What is still to be known; fill in the value of each input and send all of it.",
            {
                "authId": auth_id,
                "template": TEXT,
                "stage": TEXT,
                "header": TEXT,
                "callbacks": {"type": "array", "items": asked},
            },
        ),
        "callbacks.filled": obj(
            "The callbacks, filled in. An empty body, or none, begins a login.",
            {},
            {
                "authId": auth_id,
                "callbacks": {"type": "array", "maxItems": MAX_CALLBACKS, "items": filled},
            },
        ),
    }


def _sessions() -> dict[str, Schema]:
    standing = obj(
        "It stands.",
        {"valid": {"const": True}, "sessionUid": TEXT, "uid": TEXT, "realm": TEXT},
    )
    ended = obj("It does not.", {"valid": {"const": False}})
    return {
        "session.named": obj(
            "The session that is meant; by default the one that comes in the header or cookie.",
            {},
            {"tokenId": TEXT},
        ),
        "session.valid": {"anyOf": [standing, ended]},
        "session.info": obj(
            "Whose it is, and until when.",
            {
                "username": TEXT,
                "universalId": TEXT,
                "realm": TEXT,
                "latestAccessTime": MOMENT,
                "maxIdleExpirationTime": MOMENT,
                "maxSessionExpirationTime": MOMENT,
                "properties": MAP,
            },
        ),
        "session.ended": obj("It has ended.", {"result": TEXT}),
        "identity": obj(
            "Whose the session is.",
            {"id": NAME, "realm": TEXT, "dn": TEXT, "successURL": TEXT, "fullLoginURL": TEXT},
        ),
        "serverinfo": obj(
            "What clients of AM ask first.",
            {"_id": TEXT, "_rev": TEXT, "cookieName": NAME, "secureCookie": FLAG, "realm": TEXT},
            additionalProperties=said("What else AM tells there.", {}),
        ),
    }
