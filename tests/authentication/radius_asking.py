"""Asking a module of the kind ``radius`` whose servers are the tests' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.authentication.modules.radius.module import RadiusModule
from broker.authentication import Evidence, Identity
from broker.chains import Alone
from broker.model import Secret
from tests.authentication.radius_server import Server
from tests.support.authentication import module, parts
from tests.support.freeradius import SECRET

PASSWORD = "a-password-of-nobody-else"


def radius(folder: Path, *servers: Server, **keys: Any) -> RadiusModule:
    document = {
        "name": "corp",
        "kind": "radius",
        "servers": [f"127.0.0.1:{each.port}" for each in servers],
        "secret": SECRET,
        "timeout": 1,
        **keys,
    }
    made = module(document, parts(folder))
    assert isinstance(made, RadiusModule)
    return made


def evidence(name: str = "alice", password: str = PASSWORD, **more: Any) -> Evidence:
    return Evidence(realm="/", now=0.0, username=name, password=Secret(password), **more)


async def login(made: RadiusModule, **more: Any) -> Identity:
    found, _ = await Alone(made).authenticate(evidence(**more))
    return found
