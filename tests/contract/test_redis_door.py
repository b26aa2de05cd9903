"""Who may use a store in Redis, and what somebody who can write to it cannot do."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from adapters.stores import ForeignStore, SchemaTooNew, Stores, open_stores
from adapters.stores.redis import load_functions
from adapters.stores.redis_keys import META
from adapters.stores.redis_schema import FUNCTIONS_REVISION, SCHEMA_VERSION, FunctionsMissing
from broker.errors import Unavailable
from broker.model import Secret
from broker.testing import (
    NOW,
    a_record,
    a_session,
    a_user,
    an_answer,
    an_instance_document,
)
from tests.contract.redis_helpers import issue, issue_claimed, keys_in
from tests.contract.roots import OTHER_ROOT, ROOT
from tests.support.ports import free_port
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


# -- the door ------------------------------------------------------------------------------------


async def test_missing_functions_are_refused(redis: RedisServer) -> None:
    """Without its functions the broker does not start, and says which command loads them."""
    redis.cli("FUNCTION", "FLUSH")
    with pytest.raises(FunctionsMissing, match="remint store load-functions"):
        await open_stores(redis.url, ROOT)
    await load_functions(redis.administrator_url)
    opened = await open_stores(redis.url, ROOT)
    await opened.close()


async def test_functions_of_another_revision_are_refused(redis: RedisServer) -> None:
    """Functions of our name with other contents are not used; the sentence says which side is to
    be replaced."""
    redis.cli("FUNCTION", "LOAD", "REPLACE", _library(7))
    with pytest.raises(FunctionsMissing, match=r"revision 7.*start the newer version"):
        await open_stores(redis.url, ROOT)
    redis.cli("FUNCTION", "LOAD", "REPLACE", _library(FUNCTIONS_REVISION - 1))
    with pytest.raises(FunctionsMissing, match=r"revision \d.*remint store load-functions"):
        await open_stores(redis.url, ROOT)


async def test_newer_functions_are_not_replaced(redis: RedisServer) -> None:
    """Loading does not take from newer brokers what they run on, and says how to go back to this
    version; once that was done, or over older functions, it loads."""
    newer = FUNCTIONS_REVISION + 1
    redis.cli("FUNCTION", "LOAD", "REPLACE", _library(newer))
    with pytest.raises(FunctionsMissing, match=r"nothing was loaded.*FUNCTION DELETE remint_2"):
        await load_functions(redis.administrator_url)
    assert _revision(redis) == newer
    redis.cli("FUNCTION", "DELETE", "remint_2")
    for _ in range(2):
        await load_functions(redis.administrator_url)
        assert _revision(redis) == FUNCTIONS_REVISION
        redis.cli("FUNCTION", "LOAD", "REPLACE", _library(FUNCTIONS_REVISION - 1))


async def test_functions_that_vanish_are_named(redis: RedisServer, stores: Stores) -> None:
    """A broker that runs while others' functions are loaded over its own says so, with the command
    that mends it, and goes on as soon as that was done."""
    redis.cli("FUNCTION", "LOAD", "REPLACE", _library(FUNCTIONS_REVISION - 1))
    with pytest.raises(Unavailable, match="lacks functions") as raised:
        await issue(stores, "a")
    assert "remint store load-functions" in str(raised.value.detail)
    await load_functions(redis.administrator_url)
    await issue(stores, "a")


def _library(revision: int) -> str:
    """Functions of our name with other contents."""
    return (
        "#!lua name=remint_2\nredis.register_function{function_name='remint_2_revision', "
        f"callback=function() return {revision} end, flags={{'no-writes'}}}}"
    )


def _revision(redis: RedisServer) -> int:
    return int(redis.cli("FCALL", "remint_2_revision", "0"))


async def test_the_broker_s_user_cannot_load_functions(redis: RedisServer) -> None:
    """Loading asks for an administrator; the broker's user is refused."""
    with pytest.raises(Unavailable) as raised:
        await load_functions(redis.url)
    assert "NoPermission" in str(raised.value.detail)


async def test_loading_warns_of_a_restricted_default_user(redis: RedisServer) -> None:
    """Where Redis would drop data at its next start, the one who loads the functions hears it."""
    assert await load_functions(redis.administrator_url) == []
    redis.cli("ACL", "SETUSER", "default", "-@all")
    try:
        (warning,) = await load_functions(redis.administrator_url)
    finally:
        redis.cli("ACL", "SETUSER", "default", "+@all")
    assert "ACL SETUSER default off resetpass ~* &* +@all" in warning


async def test_another_root_secret_is_refused(redis: RedisServer, stores: Stores) -> None:
    """A broker with another root secret may not join the store, and leaves it usable."""
    with pytest.raises(ForeignStore, match="root secret"):
        await open_stores(redis.url, OTHER_ROOT)
    await issue(stores, "a")


async def test_a_newer_schema_is_refused(redis: RedisServer) -> None:
    """A store that a newer version wrote is refused with both versions named."""
    redis.cli("HSET", META, "schema", str(SCHEMA_VERSION + 1))
    with pytest.raises(SchemaTooNew, match=f"{SCHEMA_VERSION + 1}.*{SCHEMA_VERSION}"):
        await open_stores(redis.url, ROOT)


async def test_a_wrong_password_is_unavailable(redis: RedisServer) -> None:
    """A refused login is Unavailable; neither sentence nor detail repeats the password."""
    with pytest.raises(Unavailable) as raised:
        await open_stores(redis.url.replace("broker-password", "wr0ng-password"), ROOT)
    assert "AuthenticationError" in str(raised.value.detail)
    assert "wr0ng-password" not in f"{raised.value} {raised.value.detail}"


async def test_two_brokers_that_start_at_once_make_one_store(redis: RedisServer) -> None:
    """Of two root secrets that reach an empty store at once, one is kept and one refused."""
    results = await asyncio.gather(
        *(open_stores(redis.url, root) for root in (ROOT, OTHER_ROOT)), return_exceptions=True
    )
    opened = [result for result in results if isinstance(result, Stores)]
    assert [type(r) for r in results if not isinstance(r, Stores)] == [ForeignStore]
    await opened[0].close()


async def test_everything_is_there_after_reopening(redis: RedisServer) -> None:
    """What one broker wrote, another reads, through the socket of the same server too."""
    first = await open_stores(redis.url, ROOT)
    await issue_claimed(first, "a")
    await first.sessions.put(a_session())
    await first.instances.create(an_instance_document())
    await first.users.put(a_user())
    await first.replays.spend("jti", "request-1", NOW + 60)
    await first.close()
    second = await open_stores(f"unix://{redis.login}@{redis.socket}", ROOT)
    assert await second.tokens.get("a") == a_record(alias="a", token_id="a")
    assert await second.ledger.fetch("requester:alice", "a", NOW) == an_answer(token_id="a")
    assert await second.sessions.get(Secret("session-1")) == a_session()
    assert await second.instances.list() == [an_instance_document()]
    assert await second.instances.generation() == 1
    assert await second.users.list("/") == [a_user()]
    assert not await second.replays.spend("jti", "request-2", NOW + 60)
    await second.close()


async def test_a_closed_store_is_unavailable(redis: RedisServer) -> None:
    """What was handed in is finished by a close, what comes later is refused; twice is fine."""
    stores = await open_stores(redis.url, ROOT)
    tasks = [asyncio.create_task(issue(stores, str(n))) for n in range(50)]
    await asyncio.sleep(0)
    await stores.close()
    await asyncio.gather(*tasks)
    with pytest.raises(Unavailable):
        await stores.tokens.get("1")
    await stores.close()
    again = await open_stores(redis.url, ROOT)
    assert await again.tokens.get("49") is not None
    await again.close()


# -- seals ---------------------------------------------------------------------------------------


async def test_a_moved_value_does_not_open(redis: RedisServer, stores: Stores) -> None:
    """A record copied under another alias, as a writer in Redis could, is no token."""
    await issue(stores, "a")
    await issue(stores, "b")
    values = [key for key in keys_in(redis) if key.endswith(":token")]
    redis.cli("COPY", values[0], values[1], "REPLACE")
    results = await asyncio.gather(
        stores.tokens.get("a"), stores.tokens.get("b"), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["TokenRecord", "Unavailable"]


async def test_a_changed_instance_does_not_open(redis: RedisServer, stores: Stores) -> None:
    """A document copied to another name is not given out."""
    await stores.instances.create(an_instance_document())
    await stores.instances.create(an_instance_document(id="other"))
    key = "remint:{instances}:documents"
    fields = redis.cli("HKEYS", key).split()
    script = "redis.call('HSET', KEYS[1], ARGV[1], redis.call('HGET', KEYS[1], ARGV[2]))"
    redis.cli("EVAL", script, "1", key, *fields)
    with pytest.raises(Unavailable):
        await stores.instances.list()


# -- TLS -----------------------------------------------------------------------------------------


async def test_tls_asks_for_a_certificate_that_can_be_checked(tmp_path: Path) -> None:
    """Over TLS the stores work with the authority named, and are Unavailable without it."""
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    write_certificate(certificate, key)
    tls = {
        "tls_port": str(free_port()),
        "tls_cert_file": str(certificate),
        "tls_key_file": str(key),
        "tls_ca_cert_file": str(certificate),
        "tls_auth_clients": "no",
    }
    with running_redis(documented_rules(), **tls) as server:
        server.empty()
        url = f"rediss://{server.login}@127.0.0.1:{tls['tls_port']}"
        stores = await open_stores(f"{url}?ssl_ca_certs={certificate}", ROOT)
        await issue(stores, "a")
        assert await stores.tokens.get("a") is not None
        await stores.close()
        with pytest.raises(Unavailable) as raised:
            await open_stores(url, ROOT)
        assert "certificate" in str(raised.value.detail).lower()


def write_certificate(certificate: Path, key: Path) -> None:
    """A certificate of 127.0.0.1 that is its own authority."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
