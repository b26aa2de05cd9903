"""Secrets of every kind, put where a store takes them; each function returns what it planted."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.directories.local import HashCost, Passwords
from adapters.stores import Stores
from broker import idempotency
from broker.model import (
    ENTROPY_BYTES,
    USERNAME,
    Answer,
    Claim,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TranslationRequest,
)
from broker.testing import (
    NOW,
    a_claim,
    a_factor,
    a_record,
    a_session,
    a_user,
    an_announcement,
    an_answer,
    an_instance_document,
)

READABLE = "alias-in-the-clear"
"""What both stores keep as it is, to show that a search would find it."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


async def plant_requests(stores: Stores) -> dict[str, bytes]:
    """A token with its answer, a refusal, a claim that was taken over and one left open."""
    token = secrets.token_urlsafe(48)
    planted = {
        "issued token": token.encode(),
        "its signature": token[-32:].encode(),
        "word of a refusal": b"Passw0rd-in-a-refusal",
        "entropy": secrets.token_bytes(ENTROPY_BYTES),
        "entropy of an open claim": secrets.token_bytes(ENTROPY_BYTES),
        "entropy of a second worker": secrets.token_bytes(ENTROPY_BYTES),
    }
    await stores.ledger.claim(a_claim(entropy=planted["entropy"]), NOW, 5.0)
    second = a_claim(owner="worker-2", entropy=planted["entropy of a second worker"])
    taken = await stores.ledger.claim(second, NOW + 5, 5.0)
    assert isinstance(taken, Claim)
    assert taken.entropy == planted["entropy"]
    digest = hashlib.sha256(token.encode()).digest()
    record = a_record(alias=READABLE, digest=digest)
    answer = an_answer(body={"issued_token": token})
    await stores.ledger.commit(taken, record, answer, NOW + 60)
    unstored = a_claim(token_id="other", scope=None, request_id=None)
    beside = a_record(alias=f"{READABLE}-2", token_id="other", digest=digest)
    await stores.ledger.commit(unstored, beside, answer, NOW + 60)
    refused = await stores.ledger.claim(a_claim(request_id="refused"), NOW, 5.0)
    assert isinstance(refused, Claim)
    refusal = Answer(401, {"message": planted["word of a refusal"].decode()})
    await stores.ledger.commit(refused, None, refusal, NOW + 60)
    left = a_claim(request_id="open", entropy=planted["entropy of an open claim"])
    await stores.ledger.claim(left, NOW, 5.0)
    return planted


async def plant_stranger(stores: Stores) -> dict[str, bytes]:
    """A request of a caller who is known by its subject token alone, and spent that token."""
    planted = {"subject token": b"Passw0rd-in-a-subject-token", "one-time token": b"0ne-time-token"}
    request = TranslationRequest(
        instance="demo",
        subject_token=ReceivedToken(USERNAME, {}, planted["subject token"]),
        requested_token=RequestedToken(USERNAME, {}),
        requester=Requester("http"),
        request_id="request-1",
    )
    key = stores.deployment.key.derive("requests")
    scope = idempotency.scope(request, key)
    fingerprint = idempotency.fingerprint(request, key)
    claim = a_claim(scope=scope, fingerprint=fingerprint, request_id="request-1")
    assert isinstance(await stores.ledger.claim(claim, NOW, 5.0), Claim)
    spent = planted["one-time token"].decode()
    assert await stores.replays.spend(spent, scope, NOW + 60)
    return planted


async def plant_people(stores: Stores) -> dict[str, bytes]:
    """A user with a password and a second factor, and a session that was used."""
    planted = {"password": b"Passw0rd-of-a-user", "session id": b"Passw0rd-of-a-session"}
    planted["second factor"] = b"Passw0rd-of-a-second-factor"
    hasher = Passwords(cost=HashCost(64, 1, 1))
    password_hash = hasher.hash(Secret(planted["password"].decode()))
    await stores.users.put(a_user(password_hash=password_hash))
    session_id = Secret(planted["session id"].decode())
    await stores.sessions.put(a_session(id=session_id))
    await stores.sessions.touch(session_id, NOW + 120)
    assert await stores.sessions.get(session_id) is not None
    factor = a_factor(body=b'{"secret": "' + planted["second factor"] + b'"}')
    assert await stores.factors.swap(None, factor)
    assert await stores.factors.swap(factor, replace(factor, expires_at=NOW))
    return planted


async def plant_names(stores: Stores) -> dict[str, bytes]:
    """Whom it is all about: no secrets to SQLite, which is a file of the broker's own."""
    planted = {
        "user": b"Somebody-of-the-users",
        "profile": b"Somebody-in-a-profile",
        "password hash": b"Somebody-has-this-hash",
        "principal": b"Somebody-as-a-principal",
        "requester": b"Somebody-as-a-requester",
        "request id": b"Somebody-as-a-request-id",
    }
    name = {what: text.decode() for what, text in planted.items()}
    await stores.users.put(
        a_user(
            name=name["user"],
            password_hash=Secret(name["password hash"]),
            attributes={"mail": (name["profile"],)},
        )
    )
    proposal = a_claim(scope=f"requester:{name['requester']}", request_id=name["request id"])
    claim = await stores.ledger.claim(proposal, NOW, 5.0)
    assert isinstance(claim, Claim)
    record = a_record(principal=name["principal"])
    await stores.ledger.commit(claim, record, an_answer(), NOW + 60)
    return planted


async def plant_announcements(stores: Stores) -> dict[str, bytes]:
    """Whom events name, where they may: in the outbox, let out of it, and in the journal."""
    planted = {
        what: f"Somebody-in-an-event-{at}".encode()
        for at, what in enumerate(("waiting", "in a commit", "out", "journal", "request id"))
    }
    request = ("requester:alice", planted["request id"].decode())
    waiting = an_announcement(id="1", body=planted["waiting"], request=request)
    with_commit = an_announcement(id="2", body=planted["in a commit"], alias="a")
    out = an_announcement(id="3", body=planted["out"])
    await stores.outbox.add(waiting)
    unstored = a_claim(token_id="a", scope=None, request_id=None)
    record = a_record(alias="a", token_id="a")
    await stores.ledger.commit(unstored, record, an_answer(), NOW + 60, with_commit)
    await stores.outbox.add(out)
    await stores.outbox.done([out])
    await stores.journal.append([planted["journal"]])
    return planted


async def plant_instances(stores: Stores) -> dict[str, bytes]:
    """Client secrets, one of which was replaced and one deleted with its instance."""
    planted = {
        "client secret": b"Passw0rd-of-the-client",
        "client secret before": b"Passw0rd-of-the-client-before",
        "client secret deleted": b"Passw0rd-of-a-client-that-is-gone",
    }
    before, now, gone = (
        an_instance_document(id=name, body={"oidc-client-secret": planted[secret].decode()})
        for name, secret in (
            ("demo", "client secret before"),
            ("demo", "client secret"),
            ("gone", "client secret deleted"),
        )
    )
    await stores.instances.create(before)
    await stores.instances.replace(now, None)
    await stores.instances.create(gone)
    assert await stores.instances.delete("gone", None)
    return planted


async def plant_keys(stores: Stores) -> dict[str, bytes]:
    """Private keys in documents of the configuration: as PEM, as DER, replaced and removed."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    curve = ec.SECP256R1()
    ec_key, replaced = ec.generate_private_key(curve), ec.generate_private_key(curve)
    rsa_numbers = rsa_key.private_numbers()
    planted = {
        "RSA prime p": number(rsa_numbers.p),
        "RSA prime q": number(rsa_numbers.q),
        "RSA exponent d": number(rsa_numbers.d),
        "EC scalar": number(ec_key.private_numbers().private_value),
        "EC scalar before": number(replaced.private_numbers().private_value),
    }
    for name, key in (("RSA", rsa_key), ("EC", ec_key), ("EC before", replaced)):
        lines = pem(key).splitlines()
        planted |= {f"{name} PEM, line {at}": line for at, line in enumerate(lines[1:-1])}
        planted[f"{name} DER"] = der(key)
    swap = stores.configuration.swap
    assert await swap("rings//pem", None, pem(rsa_key))
    assert await swap("rings//ec", None, pem(replaced))
    assert await swap("rings//ec", pem(replaced), pem(ec_key))
    assert await swap("rings//der", None, der(rsa_key))
    assert await swap("rings//gone", None, der(ec_key))
    assert await swap("rings//gone", der(ec_key), None)
    assert await stores.configuration.get("rings//der") == der(rsa_key)
    return planted


def pem(key: PrivateKey) -> bytes:
    return _written(key, serialization.Encoding.PEM)


def der(key: PrivateKey) -> bytes:
    return _written(key, serialization.Encoding.DER)


def _written(key: PrivateKey, encoding: serialization.Encoding) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)


def number(value: int) -> bytes:
    """Big-endian, as DER and JWK write it."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
