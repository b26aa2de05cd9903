"""Where a module can stand: by itself, or in a chain with each control flag, and who is beside it.

The module beside it, the witness, says yes or no whatever came, so that the rest is the flag's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.authentication.kinds import GROUP, Parts
from adapters.instances.members import Members
from broker.authentication import FAILED, AuthModule, Evidence, Identity, account
from broker.errors import AuthenticationFailed
from tests.support.plug_ins import installed

WITNESS = "witness"
TESTED = "tested"


@dataclass(frozen=True)
class Place:
    """``flag`` is that of the module, none where it stands alone; ``accepts`` what the witness
    after it says, who is required. ``good`` and ``bad`` are the statuses for right and for wrong
    evidence, and whether the witness was asked."""

    flag: str
    accepts: bool
    good: tuple[int, bool]
    bad: tuple[int, bool]


PLACES = {
    "alone": Place("", False, good=(200, False), bad=(401, False)),
    "required": Place("required", True, good=(200, True), bad=(401, True)),
    "required-refused": Place("required", False, good=(401, True), bad=(401, True)),
    "requisite": Place("requisite", True, good=(200, True), bad=(401, False)),
    "sufficient": Place("sufficient", True, good=(200, False), bad=(200, True)),
    "sufficient-refused": Place("sufficient", False, good=(200, False), bad=(401, True)),
    "optional": Place("optional", True, good=(200, True), bad=(200, True)),
    "optional-refused": Place("optional", False, good=(401, True), bad=(401, True)),
}


def chain(place: Place, *before: str) -> str:
    """The TOML of the witness, and of a chain ``placed`` with required modules before the one that
    is tested."""
    flags = [(name, "required") for name in before]
    flags += [(TESTED, place.flag), (WITNESS, "required")]
    links = ", ".join(f'{{ module = "{name}", flag = "{flag}" }}' for name, flag in flags)
    said = f'[[module]]\nname = "{WITNESS}"\nkind = "{WITNESS}"\n'
    said += f"accepts = {'true' if place.accepts else 'false'}\n"
    return said + (f'[[chain]]\nname = "placed"\nmodules = [{links}]\n' if place.flag else "")


def target(place: Place) -> tuple[str, str]:
    """Type and name of the authentication target."""
    return ("service", "placed") if place.flag else ("module", TESTED)


@dataclass(frozen=True)
class Witness:
    """Vouches for whom modules before it know, and else for itself."""

    name: str
    accepts: bool
    headers: frozenset[str] = frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        if not self.accepts:
            raise AuthenticationFailed(FAILED, detail="no")
        return known or Identity(WITNESS, {}, account(self.name, WITNESS))

    async def close(self) -> None:
        return None


class WitnessKind:
    """Its key is ``accepts``."""

    name = WITNESS
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only("accepts")
        return Witness(name, members.flag("accepts"))


def install_witness(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind, installed for one test."""
    points = {GROUP: {WITNESS: f"{WitnessKind.__module__}:{WitnessKind.__name__}"}}
    installed(folder / WITNESS, monkeypatch, points, "witness-of-the-tests")
