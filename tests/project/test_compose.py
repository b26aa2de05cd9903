"""compose.yaml and the Dockerfile name commands, variables, ports and folders that exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from adapters import settings, settings_checks
from adapters.cli import app
from adapters.settings_secrets import FILE_SUFFIX
from tests.project.source import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = COMPOSE["services"]
REMINT: dict[str, Any] = SERVICES["remint"]


@pytest.fixture
def in_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> settings.Settings:
    """The settings that the container would start with."""
    for name, value in REMINT["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "chosen", value))
    monkeypatch.chdir(tmp_path)
    return settings.load()


def test_variables_exist() -> None:
    """Every REMINT_ variable in compose.yaml and the Dockerfile names a setting."""
    written = {*REMINT["environment"], *re.findall(r"\bREMINT_\w+", DOCKERFILE)}
    assert written - _variables() == set()


def test_settings_hold_together(in_container: settings.Settings) -> None:
    """What compose.yaml sets is a configuration that the broker starts with, messages included."""
    assert in_container.http.host == "0.0.0.0"  # noqa: S104 - published on loopback alone
    assert in_container.amqp.url is not None
    assert in_container.mqtt.url is not None
    assert settings_checks.warnings(in_container) == []


def test_published_on_loopback_alone(in_container: settings.Settings) -> None:
    """Only the broker's own port is published, and only to this machine."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    port = in_container.http.port
    assert published == [f"127.0.0.1:{port}:{port}"]
    assert f"\nEXPOSE {port}\n" in DOCKERFILE


def test_management_port(in_container: settings.Settings) -> None:
    """Health and metrics are on a port that is not published."""
    port = in_container.http.management_port
    assert port is not None
    assert not any(str(port) in each for each in REMINT["ports"])


def test_health_is_asked_where_it_is_told() -> None:
    """The image's health check asks the management port, where one is set."""
    (check,) = re.findall(r"^HEALTHCHECK [^\n]*\n +CMD (.*)$", DOCKERFILE, re.M)
    command = [sys.executable, *json.loads(check)[1:]]
    server = HTTPServer(("127.0.0.1", 0), _Ready)
    server.timeout = 60  # seconds, in case it asks elsewhere
    environment = {**os.environ, "REMINT_HTTP__MANAGEMENT_PORT": str(server.server_port)}
    with server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(subprocess.run, command, env=environment, check=False)
        server.handle_request()
        assert asked.result().returncode == 0


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()


def test_command_exists() -> None:
    """The container runs a command that ``remint`` has."""
    entry_point, default = (
        json.loads(line) for line in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", DOCKERFILE, re.M)
    )
    commands = typer.main.get_group(app).commands
    assert entry_point == ["remint"]
    assert {default[0], REMINT["command"][0]} <= commands.keys()


def test_state_is_kept() -> None:
    """The state folder is a volume, so that keys and tokens outlive the container."""
    folder = re.findall(r"REMINT_STATE_DIR=(\S+)", DOCKERFILE)
    assert REMINT["volumes"] == [f"remint-state:{folder[0]}"]
    mounted = {volume.split(":")[0] for s in SERVICES.values() for volume in s["volumes"]}
    assert {name for name in mounted if not name.startswith(".")} == set(COMPOSE["volumes"])


def test_files_that_are_mounted_exist() -> None:
    """What the containers get from this repository is there."""
    mounted = [volume.split(":")[0] for s in SERVICES.values() for volume in s["volumes"]]
    files = [name for name in mounted if name.startswith(".")]
    assert files
    assert all((ROOT / name).is_dir() for name in files)


def test_no_password_by_default() -> None:
    """No password stands in compose.yaml: whoever starts it has to choose one."""
    secrets = [
        value
        for service in SERVICES.values()
        for name, value in service["environment"].items()
        if re.search(r"PASS|SECRET|__URL$", name)
    ]
    assert len(secrets) == 4
    assert [value for value in secrets if ":?" not in value] == []


def test_runs_unprivileged() -> None:
    """The image's last word on who runs it is not root."""
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["remint"]


def _variables() -> set[str]:
    """The variable of each setting, ``_FILE`` forms included."""
    found = {settings.CONFIG_VARIABLE}
    for name, outer in settings.Settings.model_fields.items():
        section = outer.annotation
        if isinstance(section, type) and issubclass(section, settings.Section):
            found |= {f"{settings.PREFIX}{name}__{key}".upper() for key in section.model_fields}
        else:
            found.add(f"{settings.PREFIX}{name}".upper())
    files = {
        f"{settings.PREFIX}{'__'.join(path)}{FILE_SUFFIX}".upper()
        for path in settings.secret_paths()
    }
    return found | files
