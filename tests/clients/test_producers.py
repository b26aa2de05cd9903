"""The producers in other languages: one command, one token, also when RabbitMQ breaks meanwhile."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.amqp.conftest import Opened
from tests.support.door import Door
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"
INSTALL_SECONDS = 240.0
RUN_SECONDS = 120.0
# RabbitMQ 3.10 writes down now and then which quorum queues it has.
REGISTER_SECONDS = 2.0

COMMANDS = {
    "node": (["npm", "ci"], ["npm", "start", "--silent"]),
    "java": (
        ["mvn", "--quiet", "--batch-mode", "compile"],
        ["java", "-cp", "target/classes:target/lib/*", "example.AskForToken"],
    ),
}
"""How each is installed, and asked, as docs/clients.md says."""


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def language(request: pytest.FixtureRequest) -> str:
    """A producer whose packages are here; skipped where they cannot be had."""
    language: str = request.param
    install = COMMANDS[language][0]
    if shutil.which(install[0]) is None:
        pytest.skip(f"{install[0]} is not installed")
    try:
        ran = subprocess.run(
            install,
            cwd=CLIENTS / language,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the packages of the {language} producer did not come in time")
    if ran.returncode != 0:
        said = (ran.stdout + ran.stderr).strip().splitlines()[-1:]
        pytest.skip(f"the packages of the {language} producer cannot be had: {said}")
    return language


async def ask(language: str, variables: Mapping[str, str]) -> tuple[int, str, str]:
    """Run the producer: its exit code, what it printed, and what it said beside."""
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[language][1],
        cwd=CLIENTS / language,
        env={**os.environ, "TOKEN_PASSWORD": USER_PASSWORD, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            output, beside = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode(), beside.decode()


def test_commands_are_documented(language: str) -> None:
    """The page names the commands that these tests run."""
    page = (CLIENTS.parents[1] / "docs" / "clients.md").read_text()
    for command in COMMANDS[language]:
        assert shlex.join(command) in page


async def test_one_token(amqp: Door, rabbitmq: RabbitMQ, planted: Planted, language: str) -> None:
    """The documented command prints a token; run again with its id it prints the same one."""
    variables = {"AMQP_URL": rabbitmq.url_for("alice"), "REQUEST_ID": "m-1"}
    code, token, beside = await ask(language, variables)
    assert code == 0, beside
    planted.note(token.strip())
    again, same, beside = await ask(language, variables)
    assert (again, same) == (0, token), beside
    assert len(await amqp.tokens()) == 1


async def test_a_refusal(amqp: Door, rabbitmq: RabbitMQ, language: str) -> None:
    """A refusal ends the command with the broker's sentence, and without the password."""
    variables = {"AMQP_URL": rabbitmq.url_for("alice"), "TOKEN_PASSWORD": "pl4nted-wrong"}
    code, output, beside = await ask(language, variables)
    assert (code, output) == (1, "")
    assert beside.startswith("401 ")
    assert "pl4nted" not in beside


async def test_encrypted(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted, language: str
) -> None:
    """With the URL of the key set, request and answer are encrypted: the broker takes no others."""
    async with opened(amqp={"require_encrypted_credentials": True}) as door:
        variables = {"AMQP_URL": rabbitmq.url_for("alice")}
        assert (await ask(language, variables))[0] == 1
        variables["JWKS_URL"] = f"{door.url}/oauth2/jwks"
        code, token, beside = await ask(language, variables)
        assert code == 0, beside
        planted.note(token.strip())
        assert len(await door.tokens()) == 1


async def test_rabbitmq_comes_later(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted, language: str
) -> None:
    """A request is sent again, with the same id, while RabbitMQ is away: one token."""
    async with opened() as door:
        await asyncio.sleep(REGISTER_SECONDS)
        rabbitmq.kill()
        asked = asyncio.create_task(ask(language, {"AMQP_URL": rabbitmq.url_for("alice")}))
        await asyncio.sleep(REGISTER_SECONDS)
        rabbitmq.launch()
        await asyncio.to_thread(rabbitmq.wait_ready)
        code, token, beside = await asked
        assert code == 0, beside
        assert "lost: " in beside
        planted.note(token.strip())
        assert len(await door.tokens()) == 1
