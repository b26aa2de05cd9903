"""Which plug-ins an instance may name, and what happens when one is gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.instances import forgerock
from broker.errors import InvalidInstance
from broker.instance import OidcPlugIns, Saml2PlugIns
from broker.model import TokenType
from tests.plugins.test_custom_tokens import ELEMENT, KEY, ODD_OUT, STAMP, instance
from tests.plugins.test_mappers import instance as mapped
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Answer, Door
from tests.support.planted import Planted

LISTED = "tests.plugins.odd:Provider"
ODD = TokenType("ODD_OUT")


def with_provider(name: str) -> Any:
    custom = {TokenType("STAMP"): "signed-json", ODD: name}
    return instance(custom_providers=custom)


async def published(door: Door, made: Any) -> Answer:
    body = {
        "invocation_context": "invocation_context_client_sdk",
        "instance_state": forgerock.encode(made),
    }
    path = "/sts-publish/rest?_action=create"
    return await door.request("POST", path, body=body, headers=await door.admin())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody", "there is no plug-in nobody in remint.custom_providers; installed there:"),
        ("team-claims", "there is no plug-in team-claims in remint.custom_providers"),
        ("not-there", "the plug-in not-there cannot be loaded: ModuleNotFoundError at"),
        ("not-made", "the plug-in not-made cannot be loaded: Broken at odd.py:"),
        ("ends", "the plug-in ends cannot be loaded: SystemExit at odd.py:"),
        ("empty", "the plug-in empty has no method issue, which it is named for"),
        (LISTED, "is not listed in plugins.allowed"),
        ("os:system", "is not listed in plugins.allowed"),
        ("x" * 300, "a plug-in's name has 1 to 256 printable characters"),
    ],
)
async def test_unusable_name(door: Door, name: str, why: str) -> None:
    """A plug-in that cannot be used is a 400 at publish that names the key and says why."""
    answer = await published(door, with_provider(name))
    assert answer.status == 400
    (problem,) = answer.body["detail"]
    assert problem["key"] == "custom-token-providers"
    assert why in problem["message"]


async def test_every_unusable_name(door: Door) -> None:
    """All plug-ins that an instance names wrongly are reported at once, each by its key."""
    saml2 = Saml2PlugIns(**dict.fromkeys(Saml2PlugIns.__slots__, "nobody"))
    oidc = OidcPlugIns(**dict.fromkeys(OidcPlugIns.__slots__, "nobody"))
    answer = await published(door, mapped(saml2, oidc))
    assert answer.status == 400
    assert {problem["key"] for problem in answer.body["detail"]} == {
        "saml2-custom-conditions-provider-class-name",
        "saml2-custom-subject-provider-class-name",
        "saml2-custom-authentication-statements-provider-class-name",
        "saml2-custom-attribute-statements-provider-class-name",
        "saml2-custom-authz-decision-statements-provider-class-name",
        "saml2-custom-attribute-mapper-class-name",
        "saml2-custom-authn-context-mapper-class-name",
        "oidc-custom-claim-mapper-class",
        "oidc-custom-authn-context-mapper-class",
        "oidc-custom-authn-method-references-mapper-class",
    }


async def test_listed_path(tmp_path: Path, planted: Planted) -> None:
    """A ``module:attribute`` that the settings list is a name like any other."""
    listed = {"allowed": [LISTED]}
    async with doors.opened(tmp_path / "state", planted, plugins=listed) as door:
        assert (await published(door, with_provider(LISTED))).status == 201
        answer = await door.translate(KEY, ODD_OUT, instance=ELEMENT)
        assert answer.body["name"] == "robot-7"


async def test_plug_in_that_is_gone(tmp_path: Path, planted: Planted) -> None:
    """What needs a plug-in that is gone is a 409 until it is back; the rest goes on."""
    state, info = tmp_path / "state", "plug_ins_of_the_tests-1.dist-info"
    head = {"Idempotency-Key": "k"}
    async with doors.opened(state, planted) as door:
        await door.publish(instance())
    shutil.move(tmp_path / "odd" / info, tmp_path / "away")
    async with doors.opened(state, planted) as door:
        for _ in range(2):
            answer = await door.translate(KEY, ODD_OUT, instance=ELEMENT, headers=head)
            assert answer.status == 409
            assert answer.body["message"].startswith("a plug-in that this instance names")
        assert "there is no plug-in odd" in door.audit()[-1]["reason"]
        assert (await door.translate(KEY, STAMP, instance=ELEMENT)).status == 200
        assert (await door.translate(KEY, ID_TOKEN, instance=ELEMENT)).status == 200
        with pytest.raises(InvalidInstance):
            await door.publish(instance("another"))
    shutil.move(tmp_path / "away", tmp_path / "odd" / info)
    async with doors.opened(state, planted) as door:
        answer = await door.translate(KEY, ODD_OUT, instance=ELEMENT, headers=head)
        assert answer.status == 200, answer.text
