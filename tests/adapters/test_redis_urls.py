"""URLs of Redis: what each kind means, and what is refused."""

from __future__ import annotations

import pytest

from adapters.stores.redis_cluster import ClusterLink
from adapters.stores.redis_links import ServerLink
from adapters.stores.redis_urls import is_redis, link_to


def arguments_of(url: str) -> dict[str, object]:
    link = link_to(url)
    assert isinstance(link, ServerLink)
    return dict(link.connection_arguments)


def test_a_server_is_read_from_its_url() -> None:
    """Host, port, user, password and database are found, percent-encoding undone."""
    found = arguments_of("redis://us%40er:p%2Fw%23@[::1]:7000/3")
    expected = {"host": "::1", "port": 7000, "username": "us@er", "password": "p/w#", "db": 3}
    assert found.items() >= expected.items()
    assert arguments_of("redis://localhost").items() >= {"port": 6379, "db": 0}.items()


def test_tls_checks_the_server() -> None:
    """Over TLS the server's certificate and name are checked; files can be named."""
    found = arguments_of("rediss://localhost?ssl_ca_certs=/ca.pem")
    assert found["ssl_ca_certs"] == "/ca.pem"
    assert "ssl_cert_reqs" not in found
    assert "ssl_check_hostname" not in found


def test_a_socket_is_read_from_its_url() -> None:
    """The path of the socket and the database are found."""
    found = arguments_of("unix://user:password@/run/redis.sock?db=2")
    expected = {"path": "/run/redis.sock", "username": "user", "password": "password", "db": 2}
    assert found.items() >= expected.items()


async def test_groups_are_read_from_their_urls() -> None:
    """Several hosts are a cluster or the Sentinels of a service."""
    cluster = link_to("redis+cluster://a:1,b")
    sentinel = link_to("rediss+sentinel://u:p@a,b:2/tokens/1?sentinel_password=x")
    assert isinstance(cluster, ClusterLink)
    assert isinstance(sentinel, ServerLink)
    await cluster.close()
    await sentinel.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "redis:/localhost",
        "redis://",
        "redis://a,b",
        "redis://a:port",
        "redis://a:1/x",
        "redis://a:1/1/2",
        "redis://a:1/123456",
        "redis://a?ssl_ca_certs=/x",
        "redis://a#b",
        "rediss://a?ssl_cert_reqs=none",
        "rediss://a?ssl_check_hostname=false",
        "rediss://a?ssl_ca_certs=/x&ssl_ca_certs=/y",
        "unix://host/path",
        "unix://",
        "unix:///path?mode=1",
        "redis+sentinel://a",
        "redis+sentinel://a/b/c/d",
        "redis+cluster://a/1",
        "http://a",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """A URL that means no Redis, or wants a check left out, is refused with a sentence."""
    with pytest.raises(ValueError, match=r"Redis|redis|sentinel|cluster|unix"):
        link_to(url)


def test_a_refusal_does_not_repeat_the_url() -> None:
    """A URL may hold a password, so that no refusal may show it."""
    for url in ("redis://u:s3cret@a:s3cret/x", "redis://:s3cret@a/s3cret", "x://:s3cret@a"):
        with pytest.raises(ValueError, match=r"Redis") as raised:
            link_to(url)
        assert "s3cret" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_only_urls_of_redis_are_taken_for_one() -> None:
    """The scheme decides."""
    assert is_redis("redis+cluster://a")
    assert not is_redis("sqlite:///redis://")
