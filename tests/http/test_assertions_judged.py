"""pysaml2 as a service provider: it takes our bearer assertions, and none that it must not."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saml2.validate import ResponseLifetimeExceed

from handlers.saml2.name_id import PERSISTENT
from tests.handlers.saml2_judges import encryption
from tests.http.service_provider import accepted, service_provider, signing_certificate
from tests.support import door as doors
from tests.support.door import ASSERTION, Door, FrozenClock, an_instance, user_input
from tests.support.planted import Planted

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    # What pysaml2 and what it stands on are warned of is not ours.
    pytest.mark.filterwarnings("ignore"),
]


async def issued(door: Door, algorithm: str | None = "RS256", **saml2: Any) -> str:
    """A bearer assertion of an instance with these options."""
    instance = an_instance("judged", saml2=algorithm)
    assert instance.saml2 is not None
    await door.publish(replace(instance, saml2=replace(instance.saml2, **saml2)))
    answer = await door.translate(user_input(), ASSERTION, instance="judged")
    assert answer.status == 200, answer.text
    return str(answer.body["issued_token"])


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "ES256", "ES384"])
async def test_signed_assertion_is_accepted(door: Door, tmp_path: Path, algorithm: str) -> None:
    """The service provider knows the subject and the attributes by the realm's certificate."""
    document = await issued(door, algorithm)
    provider = service_provider(tmp_path, signing_certificate(door, algorithm))
    found = accepted(provider, document)
    assert found.name_id.text == "demo"
    assert found.ava["mail"] == ["demo@example.com"]


async def test_persistent_identifier_is_understood(door: Door, tmp_path: Path) -> None:
    """Its format and its qualifiers arrive with it."""
    document = await issued(door, name_id_format=PERSISTENT)
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    found = accepted(provider, document).name_id
    assert (found.format, found.sp_name_qualifier) == (PERSISTENT, doors.AUDIENCE)


@pytest.mark.parametrize("cipher", ["aes256-gcm", "aes128-cbc"])
@pytest.mark.parametrize("what", ["assertion", "name_id"])
async def test_encrypted_is_accepted(door: Door, tmp_path: Path, what: str, cipher: str) -> None:
    """The service provider decrypts with its own key what was encrypted for its certificate.

    (pysaml2 7.5 fails at an EncryptedAttribute, whoever made it: others judge those.)
    """
    wanted = encryption(what, cipher=cipher)
    document = await issued(door, encryption=wanted)
    assert "Encrypted" in document
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    found = accepted(provider, document)
    assert found.ava["mail"] == ["demo@example.com"]
    assert found.get_subject().text == "demo"


async def test_unsigned_assertion_is_refused(door: Door, tmp_path: Path) -> None:
    """A service provider that wants signatures takes none of our unsigned assertions."""
    document = await issued(door, None)
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    with pytest.raises(Exception, match=r"(?i)sign"):
        accepted(provider, document)


async def test_changed_assertion_is_refused(door: Door, tmp_path: Path) -> None:
    """Another subject in a signed assertion is noticed."""
    document = await issued(door)
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    accepted(provider, document)
    with pytest.raises(Exception, match=r"(?i)sign"):
        accepted(provider, document.replace(">demo<", ">root<"))


async def test_assertion_by_another_key_is_refused(door: Door, tmp_path: Path) -> None:
    """The certificate inside the assertion convinces nobody: the metadata's counts."""
    document = await issued(door, "ES256")
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    with pytest.raises(Exception, match=r"(?i)sign"):
        accepted(provider, document)


async def test_assertion_for_another_audience_is_refused(door: Door, tmp_path: Path) -> None:
    """A service provider takes nothing that names another one."""
    document = await issued(door, audience="https://other.example.com")
    provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
    with pytest.raises(Exception, match=r"(?i)audience|validate"):
        accepted(provider, document)


async def test_expired_assertion_is_refused(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """After its NotOnOrAfter an assertion is worth nothing."""
    clock = FrozenClock(time.time() - 3600)
    async with doors.opened(tmp_path / "state", planted, clock=clock) as door:
        document = await issued(door)
        provider = service_provider(tmp_path, signing_certificate(door, "RS256"))
        with pytest.raises(ResponseLifetimeExceed):
            accepted(provider, document)
