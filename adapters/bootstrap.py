"""The composition root: settings in, a running broker out. Every dependency is a keyword.

The only module outside ``handlers`` that imports it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from adapters import codec
from adapters.amqp.transport import AmqpTransport
from adapters.clock import SystemClock
from adapters.components import Components
from adapters.directories.local import LocalAuthenticator, Passwords
from adapters.directories.users import import_file
from adapters.instances import toml
from adapters.instances.directory import InstanceDirectory
from adapters.keys.files import KeyRing, KeyRingError
from adapters.keys.root_secret import RootSecret, RootSecretError, load_root_secret
from adapters.sessions import Sessions
from adapters.settings import Settings, secret
from adapters.stores import StoreRefused, Stores, open_stores
from adapters.telemetry.audit import AuditFile
from adapters.telemetry.log import EventLog
from broker.lifecycle import Lifecycle
from broker.model import ROOT_REALM, Secret, User
from broker.pipeline import Pipeline
from broker.ports import AuditSink, Clock, EventSink
from broker.registry import Registry
from broker.trail import AuditTrail
from handlers import Ports, catalog
from handlers.catalog import PluginError
from handlers.claims import ProfileClaimsMapper

ADMINISTRATOR = "admin"
ADMIN_PASSWORD_FILE = "admin-password"  # noqa: S105  # the name of a file
ADMIN_PASSWORD_BYTES = 18
WATCH_SECONDS = 1.0

Seed = Callable[[Components], Awaitable[None]]


class CannotStart(ValueError):
    """No broker can be made of these settings and plug-ins; the sentence says why."""


REFUSALS = (CannotStart, KeyRingError, PluginError, RootSecretError, StoreRefused)
"""What ``build`` raises besides RemintError and OSError, each with a sentence for the operator."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Broker:
    """A broker that was built; ``start`` sets its transports and chores going."""

    components: Components
    url: str
    stores: Stores
    audit: AuditSink
    amqp: AmqpTransport | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _draining: bool = False

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._reap_for_ever()))
        self._tasks.append(asyncio.create_task(self._watch_files_for_ever()))
        if self.amqp is not None:
            self._tasks.append(asyncio.create_task(self.amqp.run()))

    def not_ready(self) -> list[str]:
        """Why requests should go elsewhere; empty when this broker takes them."""
        reasons = []
        if not self._tasks:
            reasons.append("starting")
        if self._draining:
            reasons.append("draining")
        if self.amqp is not None and not self.amqp.ready:
            reasons.append("amqp: not consuming")
        return reasons

    async def failed(self) -> None:
        """Waits for a task that must not end; raises what ended it."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if not self._draining:
            for task in done:
                task.result()

    async def drain(self, seconds: float) -> None:
        """Take nothing new from the queues; finish what is in hand, within ``seconds``."""
        self._draining = True
        if self.amqp is not None:
            await self.amqp.drain(seconds)

    async def close(self) -> None:
        self._draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.components.passwords.close()
        await self.stores.close()
        if isinstance(self.audit, AuditFile):
            self.audit.close()

    async def _reap_for_ever(self) -> None:
        parts = self.components
        while True:
            await asyncio.sleep(parts.settings.store.reap_seconds)
            now = parts.clock.now()
            try:
                await parts.lifecycle.reap()
                await parts.sessions.reap()
                await self.stores.ledger.reap(now)
                await self.stores.replays.reap(now)
            except Exception as error:
                _log.warning("could not remove what has expired", error=type(error).__name__)

    async def _watch_files_for_ever(self) -> None:
        """Keys that another process changed, and an audit file that was moved away."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                self.components.keys.reload_if_changed()
                if isinstance(self.audit, AuditFile):
                    self.audit.follow()
            except Exception as error:
                _log.warning("could not look after the files", error=type(error).__name__)


async def build(
    settings: Settings,
    *,
    url: str,
    first: bool = True,
    declared: bool = True,
    seed: Seed | None = None,
    clock: Clock | None = None,
    audit: AuditSink | None = None,
    events: EventSink | None = None,
    stores: Stores | None = None,
    passwords: Passwords | None = None,
    on_answered: Callable[[], Awaitable[None]] | None = None,
) -> Broker:
    """A broker for these settings, not yet started.

    ``first`` makes what a first start makes; of several workers one does so. ``declared`` also
    brings the store up to date with what settings and files declare: the administrator's password,
    users, instances. ``on_answered`` runs between the confirm of an AMQP answer and its
    acknowledgement.
    Raises one of ``REFUSALS``, RemintError or OSError when something cannot be opened.
    """
    _make_private_folder(settings.state_dir)
    clock = clock or SystemClock()
    root = load_root_secret(settings.state_dir, secret(settings.keys.root_secret))
    stores = stores or await _opened(settings.store_url, root)
    keys = KeyRing.open(
        settings.state_dir / "keys", secret(settings.keys.passphrase), settings.all_realms
    )
    passwords = passwords or Passwords(
        threads=settings.passwords.threads, max_waiting=settings.passwords.max_waiting
    )
    audit = audit or AuditFile(
        settings.audit.file or settings.state_dir / "audit.log", fsync=settings.audit.fsync
    )
    components = _components(
        settings,
        url,
        clock,
        root,
        stores,
        keys,
        passwords,
        audit,
        events or EventLog(enabled=settings.log.level == "debug"),
    )
    broker = Broker(components, url, stores, audit)
    if first:
        await _ensure_administrator(settings, stores, passwords, declared=declared)
        if declared:
            await _bring_up_to_date(components, stores)
        if seed is not None:
            await seed(components)
    broker.amqp = _amqp(components, root, on_answered)
    return broker


async def _opened(url: str, root: RootSecret) -> Stores:
    try:
        return await open_stores(url, root)
    except ValueError as error:
        raise CannotStart(f"store.url: {error}") from None


async def prepare(settings: Settings, url: str, seed: Seed | None = None) -> None:
    """What a first start makes, before any worker is forked."""
    broker = await build(settings, url=url, first=True, seed=seed)
    await broker.close()


def _components(
    settings: Settings,
    url: str,
    clock: Clock,
    root: RootSecret,
    stores: Stores,
    keys: KeyRing,
    passwords: Passwords,
    audit: AuditSink,
    events: EventSink,
) -> Components:
    authenticator = LocalAuthenticator(stores.users, passwords)
    offered = catalog.handlers(
        Ports(
            authenticator=authenticator,
            sessions=stores.sessions,
            tokens=stores.tokens,
            users=stores.users,
        )
    )
    try:
        registry = Registry(catalog.validators(offered), catalog.providers(offered))
    except ValueError as error:
        raise CannotStart(str(error)) from None
    trail = AuditTrail(audit, clock)
    instances = InstanceDirectory(
        store=stores.instances,
        registry=registry,
        keys=keys,
        events=events,
        clock=clock,
        realm_exists=lambda realm: realm in settings.all_realms,
        allow_short_hmac="short-hmac" in settings.security.allow_legacy_output,
    )
    return Components(
        settings=settings,
        url=url,
        clock=clock,
        trail=trail,
        pipeline=Pipeline(
            instances=instances,
            registry=registry,
            ledger=stores.ledger,
            mapper=ProfileClaimsMapper(stores.users),
            replays=stores.replays,
            keys=keys,
            sessions=stores.sessions,
            trail=trail,
            events=events,
            clock=clock,
            fingerprint_key=root.derive("fingerprint"),
            owner=f"{os.getpid()}-{secrets.token_hex(8)}",
            answer_refusal=codec.answer_refusal,
            answers_ttl_seconds=settings.answers.ttl,
        ),
        lifecycle=Lifecycle(
            instances=instances,
            registry=registry,
            tokens=stores.tokens,
            trail=trail,
            events=events,
            clock=clock,
        ),
        instances=instances,
        sessions=Sessions(
            store=stores.sessions,
            users=stores.users,
            authenticator=authenticator,
            clock=clock,
            max_idle_seconds=settings.sessions.max_idle_seconds,
            max_life_seconds=settings.sessions.max_life_seconds,
        ),
        users=stores.users,
        passwords=passwords,
        keys=keys,
    )


def _amqp(
    components: Components, root: RootSecret, on_answered: Callable[[], Awaitable[None]] | None
) -> AmqpTransport | None:
    url = secret(components.settings.amqp.url)
    if url is None:
        return None
    return AmqpTransport(
        url=url,
        pipeline=components.pipeline,
        lifecycle=components.lifecycle,
        trail=components.trail,
        clock=components.clock,
        digest_key=root.derive("fingerprint"),
        prefetch=components.settings.amqp.prefetch,
        allow_anonymous=components.settings.amqp.allow_anonymous,
        on_answered=on_answered,
    )


async def _bring_up_to_date(components: Components, stores: Stores) -> None:
    """What files declare: users and instances."""
    settings = components.settings
    if settings.users.file is not None:
        await import_file(settings.users.file, stores.users)
    for path in settings.instances:
        await components.instances.load(toml.read(path))


async def _ensure_administrator(
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
    password = given or _kept_password(settings.state_dir / ADMIN_PASSWORD_FILE)
    made = await stores.users.create(await _administrator(password, passwords))
    if made and given is None and sys.stdout.isatty():
        sys.stdout.write(f"administrator {ADMINISTRATOR}, password {password.reveal()}\n")


async def _administrator(password: Secret, passwords: Passwords) -> User:
    return User(
        name=ADMINISTRATOR,
        realm=ROOT_REALM,
        password_hash=await passwords.hashed(password),
        attributes={"roles": ("admin",)},
    )


def _make_private_folder(path: Path) -> None:
    """Raises CannotStart for a folder that somebody else could have filled."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found, user = path.stat(), os.geteuid()
    if found.st_mode & 0o022 or (found.st_uid not in (user, 0) and user != 0):
        raise CannotStart(
            f"{path} belongs to another user or can be written by others; "
            "give the broker a folder of its own, with mode 0700"
        )


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
