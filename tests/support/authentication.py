"""Modules and chains for tests: as a file that settings name, and as a module wants its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.authentication.kinds import Parts, installed
from adapters.clock import SystemClock
from adapters.directories.local import HashCost, LocalAuthenticator, Passwords
from adapters.instances.members import Members
from adapters.stores.memory import open_memory
from broker.authentication import AuthModule
from broker.instance import AuthTarget, Instance
from broker.model import TokenType

CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)


def authentication_file(folder: Path, text: str) -> dict[str, Any]:
    """Overrides for ``door.opened``: settings that name a file with this TOML in ``folder``, which
    is also the folder of the files that modules name."""
    path = folder / "authentication.toml"
    path.write_text(text)
    return {"authentication": {"file": path}}


def targeted(instance: Instance, **targets: str) -> Instance:
    """The instance with targets, such as ``USERNAME="service|staff"``."""
    found: dict[TokenType, AuthTarget] = {}
    for token_type, text in targets.items():
        kind, _, name = text.partition("|")
        found[TokenType(token_type)] = AuthTarget(kind, name)
    return replace(instance, auth_targets=found)


def parts(folder: Path) -> Parts:
    """What a module is given, on stores in memory."""
    stores = open_memory()
    return Parts(
        users=stores.users,
        replays=stores.replays,
        clock=SystemClock(),
        folder=folder,
        authenticator=LocalAuthenticator(stores.users, Passwords(cost=CHEAP)),
        factors=stores.factors,
    )


def module(document: Mapping[str, Any], given: Parts, *, realm: str = "/") -> AuthModule:
    """The module of a document, as the directory makes it; one with problems fails the test."""
    made, problems = tried(document, given, realm=realm)
    assert not problems, problems
    return made


def tried(
    document: Mapping[str, Any], given: Parts, *, realm: str = "/"
) -> tuple[AuthModule, list[tuple[str, str]]]:
    """The module of a document, and the (key, sentence) of each thing wrong with it."""
    own = {key: value for key, value in document.items() if key not in ("name", "kind")}
    problems: list[tuple[str, str]] = []
    members = Members(own, "document", problems)
    kind = installed()[document["kind"]]
    return kind.module(document["name"], realm, members, given), problems
