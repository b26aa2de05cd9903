"""Users and their second factors."""

from __future__ import annotations

from adapters.http.openapi import examples
from adapters.http.openapi.row import ADMINISTRATOR, REALM, Row, tagged

_USERS = f"/json{REALM}/users"
_USER = _USERS + "/{user}"

ROWS = tagged(
    "Users",
    (
        Row(
            "GET",
            _USERS,
            "List the users of a realm, or with _queryId=factors their second factors.",
            gives="users.or.factors",
            parameters=("queryIdFactors",),
        ),
        Row(
            "POST",
            _USERS,
            "Make a user.",
            action="create",
            needs_action=False,
            takes="user.create",
            gives="user",
            statuses=(201,),
            refusals=(409,),
            examples={
                "user": {
                    "username": "bob",
                    "password": "a password of bob",
                    "attributes": {"mail": ["bob@example.com"]},
                }
            },
        ),
        Row("GET", _USER, "Read a user.", gives="user", refusals=(404,)),
        Row(
            "PUT",
            _USER,
            "Change what the body names of a user, or make the user.",
            takes="user.put",
            gives="user",
            statuses=(200, 201),
            parameters=("ifMatchAny",),
            refusals=(412,),
            examples={"mail": {"attributes": {"mail": ["robert@example.com"]}, "active": True}},
        ),
        Row(
            "DELETE",
            _USER,
            "Delete a user, with every second factor.",
            gives="user",
            refusals=(404,),
        ),
        Row(
            "POST",
            _USER + "/totp",
            "Enrol an authenticator. The secret is shown this once.",
            action="enrol",
            takes="authenticator.enrol",
            gives="authenticator.enrolled",
            statuses=(201,),
            parameters=("module",),
            refusals=(404, 409),
            examples={"usual": {"algorithm": "SHA1", "digits": 6, "period": 30}},
        ),
        Row(
            "POST",
            _USER + "/totp",
            "Confirm an authenticator by its first code.",
            action="confirm",
            takes="authenticator.confirm",
            gives="authenticator",
            parameters=("module",),
            refusals=(401, 404, 409),
            examples={"code": {"code": examples.CODE}},
        ),
        Row(
            "GET",
            _USER + "/totp",
            "Read an authenticator, without its secret.",
            gives="authenticator",
            parameters=("module",),
            refusals=(404,),
        ),
        Row(
            "DELETE",
            _USER + "/totp",
            "Remove an authenticator.",
            gives="authenticator",
            parameters=("module",),
            refusals=(404,),
        ),
        Row(
            "POST",
            _USER + "/passcodes",
            "Make a passcode. It is shown this once.",
            action="create",
            needs_action=False,
            takes="passcode.create",
            gives="passcode.created",
            statuses=(201,),
            parameters=("module",),
            refusals=(404, 409),
            examples={"anHour": {"lifetime": 3600}},
        ),
        Row(
            "GET",
            _USER + "/passcodes",
            "List the passcodes of an account.",
            gives="passcodes",
            parameters=("module",),
            refusals=(404,),
        ),
        Row(
            "DELETE",
            _USER + "/passcodes/{passcode}",
            "Withdraw a passcode.",
            gives="passcode.withdrawn",
            parameters=("module",),
            refusals=(404,),
        ),
    ),
    who=ADMINISTRATOR,
)
