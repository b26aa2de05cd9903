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
from typing import Any

import structlog

from adapters import codec
from adapters.amqp.transport import AmqpTransport
from adapters.clock import SystemClock
from adapters.components import Components
from adapters.directories.local import LocalAuthenticator, Passwords
from adapters.directories.users import import_file
from adapters.instances import toml
from adapters.instances.directory import InstanceDirectory
from adapters.keys.deployment import DeploymentKey
from adapters.keys.files import KeyFiles, KeyRingError
from adapters.keys.ring import TEND_SECONDS, KeyRing
from adapters.keys.root_secret import WrappingKeyError
from adapters.keys.wrapping import wrappers_of
from adapters.realms import Realms
from adapters.sessions import Sessions
from adapters.settings import Settings, secret
from adapters.stores import StoreRefused, Stores, Terms, open_stores
from adapters.stores.guard import KnownStores
from adapters.stores.lost_writes import lost
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


REFUSALS = (CannotStart, KeyRingError, PluginError, StoreRefused, WrappingKeyError)
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
    warnings: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _draining: bool = False

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._reap_for_ever()))
        self._tasks.append(asyncio.create_task(self._watch_for_ever()))
        self._tasks.append(asyncio.create_task(self._tend_keys_for_ever()))
        self._tasks.append(asyncio.create_task(self.stores.condition.replaced()))
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
        if trouble := self.stores.condition.trouble:
            reasons.append(f"store: {trouble}")
        return reasons

    def store_report(self) -> dict[str, Any]:
        """What an acknowledged write is worth; no addresses, no secrets."""
        found = self.stores.condition.durability
        return {
            "durable": found.durable,
            "settings": dict(found.settings),
            "warnings": [*found.sentences, *self.warnings],
        }

    async def failed(self) -> None:
        """Waits for a task that must not end; raises what ended it, such as StoreReplaced."""
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

    async def _watch_for_ever(self) -> None:
        """Keys that another broker changed, and an audit file that was moved away."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.components.keys.refresh()
                await self.components.realms.refresh()
                if isinstance(self.audit, AuditFile):
                    self.audit.follow()
            except Exception as error:
                _log.warning("could not look after the files", error=type(error).__name__)

    async def _tend_keys_for_ever(self) -> None:
        """Keys that have ended, and those that have signed for long enough."""
        parts = self.components
        while True:
            try:
                await parts.keys.tend(await parts.instances.key_needs())
            except Exception as error:
                _log.warning("could not look after the keys", error=type(error).__name__)
            await asyncio.sleep(TEND_SECONDS)


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
    if stores is None:
        stores = await opened_stores(settings)
        for sentence in stores.condition.durability.sentences if first else ():
            _log.warning(sentence)
    key = stores.deployment.key
    events = events or EventLog(enabled=settings.log.level == "debug")
    keys = await KeyRing.open(
        stores.configuration,
        clock,
        settings.all_realms,
        jwks_max_age=settings.keys.jwks_max_age,
        rotate_every=settings.keys.rotate_every,
        files=KeyFiles(settings.state_dir / "keys", secret(settings.keys.passphrase)),
        events=events,
        may_change=stores.current,
    )
    realms = Realms(
        configuration=stores.configuration,
        instances=stores.instances,
        users=stores.users,
        declared=settings.realms,
        prepare=keys.ensure,
        forget=keys.forget,
    )
    await realms.refresh()
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
        stores,
        keys,
        realms,
        passwords,
        audit,
        events,
    )
    broker = Broker(components, url, stores, audit)
    if first:
        await _look_for_lost_writes(broker)
        await _ensure_administrator(settings, stores, passwords, declared=declared)
        if declared:
            await _bring_up_to_date(components, stores)
        if seed is not None:
            await seed(components)
    broker.amqp = _amqp(components, key, on_answered)
    return broker


async def opened_stores(settings: Settings, *, confirmed: bool = False) -> Stores:
    """The stores that the settings name, opened by their wrapping keys; without a broker.

    A Redis that lost its data is refused, unless the loss was ``confirmed``.

    Raises one of ``REFUSALS``, and Unavailable.
    """
    _make_private_folder(settings.state_dir)
    url, known = settings.store_url, KnownStores(settings.state_dir)
    terms = Terms(
        expected=None if confirmed else known.id_of(url),
        require_durable=settings.store.require_durable,
        wait_replicas=settings.store.wait_replicas,
    )
    try:
        stores = await open_stores(url, *wrappers_of(settings), terms=terms)
    except ValueError as error:
        raise CannotStart(f"store.url: {error}") from None
    if stores.slots is not None:  # else nothing outlives this process
        if terms.expected not in (None, stores.deployment.store_id):
            _log.warning("the store was made anew since it was last used from here")
        known.remember(url, stores.deployment.store_id)
    return stores


async def _look_for_lost_writes(broker: Broker) -> None:
    """A Redis that came back without its last writes is used all the same, but not in silence."""
    settings = broker.components.settings
    audit = settings.audit.file or settings.state_dir / "audit.log"
    missing = await lost(audit, broker.stores.tokens, broker.components.clock.now())
    if missing:
        sentence = (
            f"the last {missing} tokens that this broker issued are not in the store: unless "
            "another broker cancelled them it has lost its last writes, and what was cancelled at "
            "that time may be valid again (docs/operating.md)"
        )
        broker.warnings.append(sentence)
        _log.warning(sentence)


async def prepare(settings: Settings, url: str, seed: Seed | None = None) -> None:
    """What a first start makes, before any worker is forked."""
    broker = await build(settings, url=url, first=True, seed=seed)
    await broker.close()


def _components(
    settings: Settings,
    url: str,
    clock: Clock,
    stores: Stores,
    keys: KeyRing,
    realms: Realms,
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
        realm_exists=realms.exists,
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
            tokens=stores.tokens,
            mapper=ProfileClaimsMapper(stores.users),
            replays=stores.replays,
            keys=keys,
            sessions=stores.sessions,
            trail=trail,
            events=events,
            clock=clock,
            fingerprint_key=stores.deployment.key.derive("fingerprint"),
            owner=f"{os.getpid()}-{secrets.token_hex(8)}",
            answer_refusal=codec.answer_refusal,
            answers_ttl_seconds=settings.answers.ttl,
            requests_per_hour=settings.answers.requests_per_hour,
            requests_per_hour_of_strangers=settings.answers.requests_per_hour_of_strangers,
        ),
        lifecycle=Lifecycle(
            instances=instances,
            registry=registry,
            tokens=stores.tokens,
            keys=keys,
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
        realms=realms,
    )


def _amqp(
    components: Components, key: DeploymentKey, on_answered: Callable[[], Awaitable[None]] | None
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
        digest_key=key.derive("fingerprint"),
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


def _make_private_folder(path: Path) -> None:
    """Raises CannotStart for a folder that somebody else could have filled."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found, user = path.stat(), os.geteuid()
    if found.st_mode & 0o022 or (found.st_uid not in (user, 0) and user != 0):
        raise CannotStart(
            f"{path} belongs to another user or can be written by others; "
            "give the broker a folder of its own, with mode 0700"
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
