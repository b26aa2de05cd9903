"""The first administrator, and the password that a first start leaves in the state folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path

from adapters.directories.local import Passwords
from adapters.settings import Settings, secret
from adapters.state_folder import CannotStart
from adapters.stores import Stores
from broker.model import ROOT_REALM, Secret, User

ADMINISTRATOR = "admin"
ADMIN_PASSWORD_FILE = "admin-password"  # noqa: S105  # the name of a file
ADMIN_PASSWORD_BYTES = 18


async def ensure_administrator(
    settings: Settings, stores: Stores, passwords: Passwords, *, declared: bool
) -> None:
    """The user ``admin``: made with a random password, unless the settings give one.

    A password in the settings is in force whenever the broker starts.
    """
    given = secret(settings.admin.password)
    user = await stores.users.get(ROOT_REALM, ADMINISTRATOR)
    if user is not None:
        if (
            declared
            and given is not None
            and not await passwords.matches(user.password_hash, given)
        ):
            await stores.users.put(await _administrator(given, passwords))
        return
    # The file comes first: a crash in between leaves a password that the next start uses.
    path = settings.state_dir / ADMIN_PASSWORD_FILE
    password = given or _kept_password(path)
    made = await stores.users.create(await _administrator(password, passwords))
    if given is None and not made and not await _opens(password, stores, passwords):
        _forget(path)  # another broker made the administrator first, with its own password
    elif given is None and made and sys.stdout.isatty():
        sys.stdout.write(f"administrator {ADMINISTRATOR}, password {password.reveal()}\n")


async def _opens(password: Secret, stores: Stores, passwords: Passwords) -> bool:
    user = await stores.users.get(ROOT_REALM, ADMINISTRATOR)
    return user is not None and await passwords.matches(user.password_hash, password)


async def _administrator(password: Secret, passwords: Passwords) -> User:
    return User(
        name=ADMINISTRATOR,
        realm=ROOT_REALM,
        password_hash=await passwords.hashed(password),
        attributes={"roles": ("admin",)},
    )


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)


def _kept_password(path: Path) -> Secret:
    """The password in the file, made now if there is none; brokers that start at once share it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(ADMIN_PASSWORD_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    if path.stat().st_mode & 0o077:
        raise CannotStart(f"{path} can be read by others; remove it, and a new one is made")
    password = path.read_text().strip()
    if not password:
        raise CannotStart(f"{path} is empty; remove it, and a new one is made")
    return Secret(password)
