"""What docs/clients.md prints runs, and the examples install what they need and no more."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.amqp.conftest import Opened
from tests.support.door import Door
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.rabbitmq import RabbitMQ

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs" / "clients.md").read_text(), re.M | re.S
)
RUN_SECONDS = 60.0


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
@pytest.mark.parametrize("program", PROGRAMS, ids=["async", "sync"])
async def test_examples(opened: Opened, rabbitmq: RabbitMQ, planted: Planted, program: str) -> None:
    """A printed program, given addresses and a password, prints a token that the broker issued."""
    async with opened(amqp={"require_encrypted_credentials": True}) as door:
        output = await _output(door, rabbitmq, program)
        token = output.splitlines()[0]
        planted.note(token)
        [line] = [line for line in door.audit() if line["operation"] == "translate"]
        assert line["outcome"] == "ok"
        assert token.startswith(("ey", "<"))


async def _output(door: Door, rabbitmq: RabbitMQ, program: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(CLIENTS / "python"),
        "AMQP_URL": rabbitmq.url_for("alice"),
        "JWKS_URL": f"{door.url}/oauth2/jwks",
        "TOKEN_PASSWORD": USER_PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    return output.decode()


def test_python_imports_what_it_declares() -> None:
    """The Python client imports the standard library, itself, and what its project file names."""
    project = tomllib.loads((CLIENTS / "python" / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=]", line)[0].replace("-", "_") for line in project["dependencies"]}
    allowed = {*sys.stdlib_module_names, *declared, "remint_client"}
    imported: set[str] = set()
    for path in (CLIENTS / "python").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert imported - allowed == set()
    assert declared - imported == set()


def test_node_lock_has_no_address() -> None:
    """The lock file pins versions by hash; whoever installs chooses where packages come from."""
    lock = json.loads((CLIENTS / "node" / "package-lock.json").read_text())
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert installed
    assert all(entry["integrity"].startswith("sha512-") for entry in installed.values())
    assert [name for name, entry in installed.items() if "resolved" in entry] == []


def test_java_names_no_repository() -> None:
    """The Java project pins what it needs, and leaves to Maven where it comes from."""
    project = (CLIENTS / "java" / "pom.xml").read_text()
    assert "<repositor" not in project
    assert "<pluginRepositor" not in project
    dependencies = re.findall(
        r"<(?:dependency|plugin)>(.*?)</(?:dependency|plugin)>", project, re.S
    )
    assert dependencies
    assert all(re.search(r"<version>\d[\d.]*</version>", found) for found in dependencies)
