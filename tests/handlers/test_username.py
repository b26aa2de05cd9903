"""USERNAME input."""

from __future__ import annotations

import pytest

from broker.errors import AuthenticationFailed, InvalidRequest
from broker.model import USERNAME
from handlers.username.validator import (
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    UsernameValidator,
)
from tests.handlers.builders import NOW, Passwords, instance, received, user

PASSWORD = "Pl4nted-secret"


def validator() -> tuple[UsernameValidator, Passwords]:
    passwords = Passwords(user(realm="/fred"), PASSWORD)
    return UsernameValidator(passwords), passwords


async def test_right_password_gives_the_user_and_the_profile() -> None:
    """The authenticator is asked in the instance's realm, and its user becomes the principal."""
    under_test, passwords = validator()
    credential = under_test.parse(received(USERNAME, username="demo", password=PASSWORD))
    found = await under_test.validate(credential, instance(realm="/fred"), NOW + 0.7)
    assert (found.name, found.realm, found.method) == ("demo", "/fred", USERNAME)
    assert found.attributes == {"mail": ("demo@example.com",)}
    assert found.authenticated_at == NOW
    assert found.not_after is None
    assert passwords.asked == [("/fred", "demo", None)]


async def test_wrong_password_is_refused() -> None:
    """The authenticator's refusal passes through."""
    under_test, _ = validator()
    credential = under_test.parse(received(USERNAME, username="demo", password="other"))
    with pytest.raises(AuthenticationFailed):
        await under_test.validate(credential, instance(), NOW)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": None, "password": PASSWORD}, "username"),
        ({"username": "", "password": PASSWORD}, "username"),
        ({"username": 5, "password": PASSWORD}, "username"),
        ({"username": "a" * (MAX_USERNAME_LENGTH + 1), "password": PASSWORD}, "username"),
        ({"username": "a\udc00", "password": PASSWORD}, "username"),
        ({"username": "demo"}, "password"),
        ({"username": "demo", "password": ""}, "password"),
        ({"username": "demo", "password": [PASSWORD]}, "password"),
        ({"username": "demo", "password": PASSWORD * MAX_PASSWORD_LENGTH}, "password"),
        ({"username": "demo", "password": PASSWORD + "\ud800"}, "password"),
    ],
)
def test_refusal_names_the_member_and_shows_nothing(state: dict[str, object], named: str) -> None:
    """A member that is missing or malformed is named; no word of the state comes back."""
    under_test, _ = validator()
    with pytest.raises(InvalidRequest, match=named) as refusal:
        under_test.parse(received(USERNAME, **state))
    assert PASSWORD not in refusal.value.sentence
    assert refusal.value.__cause__ is None


def test_credential_hides_its_password() -> None:
    """The parsed credential can be logged without giving the password away."""
    under_test, _ = validator()
    credential = under_test.parse(received(USERNAME, username="demo", password=PASSWORD))
    assert PASSWORD not in repr(credential)
