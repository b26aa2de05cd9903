"""The configuration of a deployment as one file, sealed with a password.

The file is a line of JSON, which says how the key is made from the password, and then what was
sealed with that key: Argon2id (RFC 9106, second recommended choice) and AES-256-GCM, the line being
authenticated with the rest. A JWE under PBES2 would be the better known form; but a file is guessed
at without anybody noticing, and PBKDF2 asks a guesser for time alone, not for memory.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

import orjson
from argon2.exceptions import Argon2Error
from argon2.low_level import Type, hash_secret_raw

from adapters.keys.root_secret import KEY_BYTES, SealBroken, Sealer
from adapters.transfer import Configuration, TransferRefused
from broker.factors import Factor
from broker.model import InstanceDocument, Secret, User

VERSION = 1

MIN_PASSWORD_LENGTH = 12
SALT_BYTES = 16
MEMORY_KIB, PASSES, LANES = 65536, 3, 4
MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES = 1 << 20, 16, 16
"""What a file may ask for. Its header is read before anything proves that it is ours."""

MAX_HEADER_BYTES = 1024
MAX_FILE_BYTES = 256 * 1024 * 1024

DAMAGED = "the file was damaged, or the password is wrong"


def sealed(configuration: Configuration, password: Secret) -> bytes:
    """The content of a file. Takes about a tenth of a second and 64 MiB.

    Raises TransferRefused for a password that could be guessed, or too much configuration.
    """
    if len(password.reveal()) < MIN_PASSWORD_LENGTH:
        raise TransferRefused(f"the password needs {MIN_PASSWORD_LENGTH} characters or more")
    salt = secrets.token_bytes(SALT_BYTES)
    head = {
        "remint-export": VERSION,
        "kdf": "argon2id",
        "salt": base64.b64encode(salt).decode(),
        "memory_kib": MEMORY_KIB,
        "passes": PASSES,
        "lanes": LANES,
        "cipher": "A256GCM",
    }
    header = orjson.dumps(head)
    sealer = _sealer(password, salt, MEMORY_KIB, PASSES, LANES)
    content = header + b"\n" + sealer.seal(_written(configuration), header)
    if len(content) > MAX_FILE_BYTES:
        raise TransferRefused(f"the configuration is larger than {MAX_FILE_BYTES} bytes")
    return content


def opened(content: bytes, password: Secret) -> Configuration:
    """What ``sealed`` wrote. Raises TransferRefused."""
    header, newline, _ = content[:MAX_HEADER_BYTES].partition(b"\n")
    sealer = _sealer_of(header if newline else b"", password)
    try:
        plain = sealer.open(content[len(header) + 1 :], header)
    except SealBroken:
        raise TransferRefused(DAMAGED) from None
    try:
        return _read(plain)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TransferRefused("the file holds what this version cannot read") from None


def _sealer_of(header: bytes, password: Secret) -> Sealer:
    try:
        head = orjson.loads(header)
        version, kdf, cipher = head["remint-export"], head["kdf"], head["cipher"]
        salt = base64.b64decode(head["salt"], validate=True)
        costs = [head[name] for name in ("memory_kib", "passes", "lanes")]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise TransferRefused("this is no file of `remint export`") from None
    if (version, kdf, cipher) != (VERSION, "argon2id", "A256GCM"):
        raise TransferRefused("a newer version wrote this file; import it with that version")
    limits = (MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES)
    for cost, limit in zip(costs, limits, strict=True):
        if not isinstance(cost, int) or not 1 <= cost <= limit:
            raise TransferRefused(
                "the file asks for more work than any export does; it is not ours"
            )
    return _sealer(password, salt, *costs)


def _sealer(password: Secret, salt: bytes, memory_kib: int, passes: int, lanes: int) -> Sealer:
    try:
        key = hash_secret_raw(
            password.reveal().encode("utf-8", "surrogateescape"),
            salt,
            time_cost=passes,
            memory_cost=memory_kib,
            parallelism=lanes,
            hash_len=KEY_BYTES,
            type=Type.ID,
        )
    except Argon2Error:
        raise TransferRefused(DAMAGED) from None
    return Sealer(key)


def _written(configuration: Configuration) -> bytes:
    return orjson.dumps(
        {
            "documents": {
                name: base64.b64encode(value).decode()
                for name, value in configuration.documents.items()
            },
            "instances": [
                {
                    "id": document.id,
                    "realm": document.realm,
                    "revision": document.revision,
                    "format": document.format,
                    "body": dict(document.body),
                }
                for document in configuration.instances
            ],
            "users": [
                {
                    "realm": user.realm,
                    "name": user.name,
                    "password_hash": user.password_hash.reveal(),
                    "attributes": {name: list(values) for name, values in user.attributes.items()},
                    "active": user.active,
                }
                for user in configuration.users
            ],
            "factors": [
                {
                    "realm": factor.realm,
                    "account": factor.account,
                    "kind": factor.kind,
                    "id": factor.id,
                    "body": base64.b64encode(factor.body).decode(),
                }
                for factor in configuration.factors
            ],
        },
        default=dict,  # read-only mappings, which the JSON writer does not know
    )


def _read(plain: bytes) -> Configuration:
    """The reverse of ``_written``. Raises ValueError, KeyError, TypeError, AttributeError."""
    told: dict[str, Any] = orjson.loads(plain)
    documents = {name: base64.b64decode(text) for name, text in told["documents"].items()}
    instances = tuple(InstanceDocument(**document) for document in told["instances"])
    users = tuple(
        User(
            name=user["name"],
            realm=user["realm"],
            password_hash=Secret(user["password_hash"]),
            attributes={name: tuple(values) for name, values in user["attributes"].items()},
            active=bool(user["active"]),
        )
        for user in told["users"]
    )
    factors = tuple(
        Factor(**{**factor, "body": base64.b64decode(factor["body"])})
        for factor in told.get("factors", ())  # files of earlier versions have none
    )
    return Configuration(documents, instances, users, factors)
