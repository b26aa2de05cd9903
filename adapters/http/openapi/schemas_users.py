"""Bodies of users, second factors, keys and realms."""

from __future__ import annotations

from typing import Any

from adapters.authentication.factors import passcodes, totp
from adapters.directories.local import MAX_PASSWORD_BYTES
from adapters.directories.users import MAX_NAME_LENGTH
from adapters.http.factors import MAX_CODE_LENGTH, MAX_ISSUER_LENGTH
from adapters.http.openapi.shapes import (
    FLAG,
    MOMENT,
    NAME,
    TEXT,
    TEXTS,
    Schema,
    listed,
    obj,
    one_of,
    ref,
    said,
)
from adapters.keys.private_keys import ALGORITHMS
from adapters.keys.ring_document import ACTIVE, NEXT, RETIRED, REVOKED


def schemas() -> dict[str, Schema]:
    return {**_users(), **_factors(), **_keys(), **_realms()}


def _users() -> dict[str, Schema]:
    attributes = {"type": "object", "additionalProperties": TEXTS}
    password = {
        "type": "string",
        "format": "password",
        "minLength": 1,
        "maxLength": MAX_PASSWORD_BYTES,
    }
    written = {
        "password": password,
        "password_hash": said("In its place: an argon2id hash, as a PHC string.", TEXT),
        "attributes": attributes,
        "active": FLAG,
    }
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
    return {
        "user": obj(
            "A user, without the password's hash.",
            {
                "_id": TEXT,
                "username": TEXT,
                "realm": TEXT,
                "active": FLAG,
                "attributes": attributes,
            },
        ),
        "users.or.factors": {"anyOf": [ref("users"), ref("factors")]},
        "users": listed("user"),
        "user.create": {
            **obj("A new user.", {"username": name}, written),
            "anyOf": [{"required": ["password"]}, {"required": ["password_hash"]}],
        },
        "user.put": obj(
            "What is left out stays as it is; a new user needs a password.", {}, written
        ),
    }


def _factors() -> dict[str, Schema]:
    manner = {
        "algorithm": one_of(totp.SECRET_BYTES),
        "digits": one_of(totp.DIGITS),
        "period": {
            "description": "Seconds.",
            "type": "integer",
            "minimum": totp.MIN_PERIOD,
            "maximum": totp.MAX_PERIOD,
        },
    }
    authenticator = {
        "_id": TEXT,
        "kind": {"const": totp.KIND},
        "account": TEXT,
        "state": one_of(("pending", "confirmed", "expired")),
        **manner,
        "made": MOMENT,
    }
    passcode = {
        "_id": TEXT,
        "kind": {"const": passcodes.KIND},
        "account": TEXT,
        "state": one_of(("open", "used", "expired")),
        "made": MOMENT,
        "expires": MOMENT,
    }
    issuer = {"type": "string", "minLength": 1, "maxLength": MAX_ISSUER_LENGTH}
    code = {"type": "string", "minLength": 1, "maxLength": MAX_CODE_LENGTH}
    lifetime = {
        "description": "Seconds.",
        "type": "integer",
        "minimum": passcodes.MIN_LIFETIME,
        "maximum": passcodes.MAX_LIFETIME,
        "default": passcodes.DEFAULT_LIFETIME,
    }
    return {
        "factors": {
            **listed("factor"),
            "description": "The second factors of all accounts of the realm.",
        },
        "factor": {"anyOf": [ref("authenticator"), ref("passcode")]},
        "authenticator": obj("An authenticator app's secret, not shown.", authenticator),
        "authenticator.enrol": obj(
            "How codes are made, and what the app calls the broker.",
            {},
            {**manner, "issuer": issuer},
        ),
        "authenticator.enrolled": obj(
            "The secret, this once, in base32 and as a URI for a QR code.",
            {**authenticator, "secret": TEXT, "uri": TEXT},
        ),
        "authenticator.confirm": obj("What the app shows.", {"code": code}),
        "passcode": obj("A passcode, without its secret.", passcode),
        "passcodes": listed("passcode"),
        "passcode.create": obj("How long it is to last.", {}, {"lifetime": lifetime}),
        "passcode.created": obj("The passcode, this once.", {**passcode, "passcode": TEXT}),
        "passcode.withdrawn": obj("It is gone.", {"_id": TEXT}),
    }


def _keys() -> dict[str, Schema]:
    shown: dict[str, Any] = {
        "kid": TEXT,
        "algorithm": TEXT,
        "state": one_of((NEXT, ACTIVE, RETIRED, REVOKED)),
        "created": MOMENT,
    }
    moments = {"publishedAt": MOMENT, "signsFrom": MOMENT, "endsAt": MOMENT}
    algorithm = one_of(ALGORITHMS)
    pem = {"type": "string", "description": "PEM."}
    return {
        "key": obj("A signing key: name, state and times, never the key.", shown, moments),
        "keys": listed("key"),
        "key.certified": obj("A key and its certificate.", {**shown, "certificate": pem}, moments),
        "key.algorithm": obj("Of which algorithm.", {"algorithm": algorithm}),
        "key.import": obj(
            "A key in PEM, not encrypted, and its certificate if it has one.",
            {"key": pem},
            {
                "certificate": pem,
                "algorithm": {"enum": [*ALGORITHMS, None]},
                "now": said("Whether it signs from now on.", FLAG),
            },
        ),
        "key.revoke": obj("Which key.", {"kid": NAME}),
        "key.revoked": obj(
            "The key as it is now, and which one signs in its place.",
            {**shown, "active": {"anyOf": [ref("key"), {"type": "null"}]}},
            moments,
        ),
        "jwks": obj(
            "A JWK set (RFC 7517).",
            {
                "keys": {
                    "type": "array",
                    "items": obj("", {"kty": TEXT, "kid": TEXT}, {"use": TEXT, "alg": TEXT}),
                }
            },
        ),
    }


def _realms() -> dict[str, Schema]:
    return {
        "realm": obj(
            "A realm; _id is its path in base64url.",
            {
                "_id": TEXT,
                "_rev": TEXT,
                "name": TEXT,
                "parentPath": {"type": ["string", "null"]},
                "path": TEXT,
                "active": FLAG,
                "aliases": TEXTS,
            },
        ),
        "realms": listed("realm"),
        "realm.create": {
            **obj(
                "Name and parent, as AM has it since version 14, or the path, as before.",
                {},
                {
                    "name": NAME,
                    "parentPath": TEXT,
                    "realm": said("The whole path.", NAME),
                    "active": {"const": True},
                },
            ),
            "anyOf": [{"required": ["name"]}, {"required": ["realm"]}],
        },
    }
