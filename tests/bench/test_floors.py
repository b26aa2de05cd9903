"""A floor is short and has nothing of ours in it, so that a reader can check it at a glance."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from bench.driver.http import Endpoint, HttpSender
from bench.floors import password_hash, redis_set, signatures, sqlite_insert
from bench.process import first_line, started
from bench.redis_server import redis_server
from bench.subjects import SubjectIssuer

FLOORS = sorted(
    path for path in Path(signatures.__file__).parent.glob("*.py") if path.name != "__init__.py"
)
OURS = {"adapters", "bench", "broker", "handlers"}
MAX_LINES = 40


@pytest.mark.parametrize("path", FLOORS, ids=lambda path: path.stem)
def test_floors_are_short(path: Path) -> None:
    """A floor has at most 40 lines."""
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", FLOORS, ids=lambda path: path.stem)
def test_floors_import_nothing_of_ours(path: Path) -> None:
    """A floor imports neither the broker nor the bench, not even another floor."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    assert names
    assert names & OURS == set()


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_bare_signatures(algorithm: str) -> None:
    """What a floor signs it also verifies, and nothing else."""
    sign, verify = signatures.calls(algorithm, signatures.key(algorithm))
    signature = sign(b"data")
    verify(signature, b"data")
    with pytest.raises(InvalidSignature):
        verify(signature, b"other data")


def test_bare_hmac() -> None:
    """The floor of HS256 tells right from wrong."""
    sign, verify = signatures.calls("HS256", signatures.key("HS256"))
    assert verify(sign(b"data"), b"data") is True
    assert verify(sign(b"data"), b"other data") is False


def test_bare_password_hash() -> None:
    """The floor of a password verifies it."""
    assert password_hash.check(8, 1, 1, "correct horse")() is True


def test_bare_inserts(tmp_path: Path) -> None:
    """The floor of a write to SQLite costs CPU time, round after round on one file."""
    for _ in range(2):
        assert sqlite_insert.micros(str(tmp_path / "floor.db"), 40, 16, 100) > 0


@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_bare_sets() -> None:
    """The floor of a write to Redis writes as often as it is told."""
    with redis_server() as server:
        assert asyncio.run(redis_set.micros(server.port, 40, 16, 100)) > 0
        assert server.admin.dbsize() == 40


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["none", "ES256", "RS256"])
def test_http_echo(algorithm: str) -> None:
    """The floor of a request over HTTP answers each with a token as long as it is told."""

    async def asked(port: str) -> bytes:
        sender = HttpSender(Endpoint(f"http://127.0.0.1:{port}/any/path"), 1)
        await sender.open()
        answer = await sender.ask(b'{"some": "request"}')
        await sender.close()
        return answer

    with started("-m", "bench.floors.http_echo", algorithm, "600") as floor:
        answer = asyncio.run(asked(first_line(floor)))
    assert answer.startswith(b'{"issued_token":"')
    assert len(answer) == len(b'{"issued_token":""}') + 600


@pytest.mark.slow
def test_http_echo_verifies() -> None:
    """The floor of a request with a JWT in it verifies it: one of another key gets no answer."""
    issuer, stranger = SubjectIssuer(), SubjectIssuer()

    async def asked(port: str, token: str) -> bytes:
        sender = HttpSender(Endpoint(f"http://127.0.0.1:{port}/"), 1)
        await sender.open()
        try:
            return await sender.ask(
                b'{"input_token_state":{"oidc_id_token":"%s"}}' % token.encode()
            )
        finally:
            await sender.close()

    with started("-m", "bench.floors.http_echo", "none", "10", issuer.public_pem) as floor:
        port = first_line(floor)
        (good,), (bad,) = issuer.tokens(1), stranger.tokens(1)
        assert b"issued_token" in asyncio.run(asked(port, good))
        with pytest.raises(Exception, match="status 500"):
            asyncio.run(asked(port, bad))
