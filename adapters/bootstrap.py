"""The composition root: settings in, a running broker out. Every dependency is a keyword.

The only module outside ``handlers`` that imports it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable

import structlog

from adapters import codec, message_servers
from adapters.administrator import ensure_administrator
from adapters.authentication import files as authentication_files
from adapters.authentication import kinds as authentication_kinds
from adapters.authentication.directory import AuthenticationDirectory
from adapters.authentication.kinds import Parts
from adapters.authentication.throttling import ThrottledAuthenticator, Throttling
from adapters.certificates import files as authority_files
from adapters.certificates.directory import CertificateAuthorities
from adapters.clock import SystemClock
from adapters.components import Components
from adapters.directories.local import LocalAuthenticator, Passwords
from adapters.directories.users import import_file
from adapters.directories.verified import VerifiedPasswords
from adapters.events.announcer import Announcer
from adapters.events.cloudevents import CloudEvents
from adapters.instances import toml
from adapters.instances.directory import InstanceDirectory
from adapters.interim_sessions import InterimSessions
from adapters.issuers import files as issuer_files
from adapters.issuers.directory import TrustedIssuers
from adapters.kept_tokens import KeptTokens
from adapters.keys.files import KeyFiles, KeyRingError
from adapters.keys.ring import KeyRing
from adapters.keys.root_secret import WrappingKeyError
from adapters.keys.signing_threads import run_for
from adapters.plugins import InstalledPlugIns
from adapters.realms import Realms
from adapters.running import Broker
from adapters.sessions import Sessions
from adapters.settings import Settings, secret
from adapters.state_folder import CannotStart, make_private_folder, opened_stores
from adapters.stores import StoreRefused, Stores
from adapters.stores.lost_writes import lost
from adapters.telemetry import log
from adapters.telemetry.audit import AuditFile
from adapters.telemetry.log import EventLog
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.personal import Display
from broker.lifecycle import Lifecycle
from broker.mapping import PlugInMapping
from broker.pipeline import Pipeline
from broker.ports import AuditSink, Clock, EventSink
from broker.registry import Registry
from broker.trail import AuditTrail
from handlers import Ports, catalog
from handlers.catalog import PluginError
from handlers.claims import ProfileClaimsMapper
from handlers.custom import CustomProviders, CustomValidators
from handlers.outline import outline

ASSERTION_OUTLINE = outline
"""Reads an assertion into plain values, for commands that compare what two servers issued."""

Seed = Callable[[Components], Awaitable[None]]


REFUSALS = (CannotStart, KeyRingError, PluginError, StoreRefused, WrappingKeyError)
"""What ``build`` raises besides RemintError and OSError, each with a sentence for the operator."""

_log = structlog.get_logger(__name__)


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
    metrics: Metrics | None = None,
) -> Broker:
    """A broker for these settings, not yet started.

    ``first`` makes what a first start makes; of several workers one does so. ``declared`` also
    brings the store up to date with what settings and files declare: the administrator's password,
    users, trusted issuers, instances. ``on_answered`` runs between the confirm of an AMQP answer
    and its acknowledgement.
    Raises one of ``REFUSALS``, RemintError or OSError when something cannot be opened.
    """
    make_private_folder(settings.state_dir)
    clock = clock or SystemClock()
    if stores is None:
        stores = await opened_stores(settings)
        for sentence in stores.condition.durability.sentences if first else ():
            _log.warning(sentence)
    announcer = _announcer(settings, url, clock, stores)
    events = events or announcer or EventLog(enabled=settings.log.level == "debug")
    keys = await KeyRing.open(
        stores.configuration,
        clock,
        settings.all_realms,
        jwks_max_age=settings.keys.jwks_max_age,
        keystore_dir=settings.keys.keystore_dir,
        rotate_every=settings.keys.rotate_every,
        run=run_for(settings.keys.signing_threads, settings.workers),
        files=KeyFiles(settings.state_dir / "keys", secret(settings.keys.passphrase)),
        events=events,
        may_change=stores.current,
    )
    issuers = TrustedIssuers(
        stores.configuration,
        url=url,
        jwks=keys.jwks,
        is_ours=keys.knows,
        revision_key=stores.deployment.key.derive("issuer-revisions"),
    )
    authorities = CertificateAuthorities(stores.configuration)
    realms = Realms(
        configuration=stores.configuration,
        instances=stores.instances,
        users=stores.users,
        factors=stores.factors,
        declared=settings.realms,
        prepare=keys.ensure,
        forget=keys.forget,
    )
    await realms.refresh()
    for realm in realms.made if first else ():
        await keys.ensure(realm)
    passwords = passwords or Passwords(
        threads=settings.passwords.threads, max_waiting=settings.passwords.max_waiting
    )
    metrics = metrics or Metrics()
    display = Display(
        settings.audit.principals,
        settings.audit.addresses,
        stores.deployment.key.derive("pseudonym"),
    )
    log.show(display)
    if audit is None:
        audit = AuditFile(settings.audit_file, fsync=settings.audit.fsync, display=display)
        audit.watched_by(metrics)
    components = _components(
        settings,
        url,
        clock,
        stores,
        keys,
        realms,
        issuers,
        authorities,
        passwords,
        audit,
        events,
        metrics,
    )
    broker = Broker(components, url, stores, audit, announcer=announcer)
    if first:
        await _look_for_lost_writes(broker)
        await ensure_administrator(settings, stores, passwords, declared=declared)
        if declared:
            await _bring_up_to_date(components, stores)
        if seed is not None:
            await seed(components)
    broker.amqp, broker.mqtt = message_servers.transports(components, stores, on_answered)
    return broker


async def _look_for_lost_writes(broker: Broker) -> None:
    """A Redis that came back without its last writes is used all the same, but not in silence."""
    parts = broker.components
    missing = await lost(parts.settings.audit_file, broker.stores.tokens, parts.clock.now())
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
    issuers: TrustedIssuers,
    authorities: CertificateAuthorities,
    passwords: Passwords,
    audit: AuditSink,
    events: EventSink,
    metrics: Metrics,
) -> Components:
    local = LocalAuthenticator(
        stores.users, passwords, VerifiedPasswords(settings.passwords.cache_seconds)
    )
    throttling = Throttling(
        stores.attempts,
        key=stores.deployment.key.derive("attempts"),
        clock=clock,
        shared_addresses=settings.throttling.shared_addresses,
    )
    authenticator = ThrottledAuthenticator(local, throttling)
    authentication = AuthenticationDirectory(
        stores.configuration,
        kinds=authentication_kinds.installed(),
        parts=Parts(
            users=stores.users,
            replays=stores.replays,
            clock=clock,
            folder=settings.authentication_folder,
            authenticator=local,  # a chain or module is throttled as a whole
            factors=stores.factors,
            metrics=metrics,
        ),
        revision_key=stores.deployment.key.derive("authentication-revisions"),
        throttling=throttling,
    )
    offered = catalog.handlers(
        Ports(
            authenticator=authenticator,
            sessions=stores.sessions,
            tokens=stores.tokens,
            users=stores.users,
            issuers=issuers,
            authorities=authorities,
            targets=authentication,
            pseudonym_key=stores.deployment.key.derive("name-ids"),
        )
    )
    plug_ins = InstalledPlugIns(settings.plugins.allowed)
    mapper = ProfileClaimsMapper(stores.users)
    custom = CustomValidators(plug_ins, stores.sessions, stores.users)
    try:
        registry = Registry(
            catalog.validators(offered),
            catalog.providers(offered),
            custom_validator=custom.validator,
            custom_provider=CustomProviders(plug_ins, mapper).provider,
        )
    except ValueError as error:
        raise CannotStart(str(error)) from None
    trail = AuditTrail(audit, clock, metrics.count)

    async def refresh() -> bool:
        looked_after = (issuers, authorities, authentication)
        return all([await each.refresh() for each in looked_after])

    instances = InstanceDirectory(
        store=stores.instances,
        registry=registry,
        keys=keys,
        events=events,
        clock=clock,
        realm_exists=realms.exists,
        revision_key=stores.deployment.key.derive("instance-revisions"),
        allow_legacy=frozenset(settings.security.allow_legacy_output),
        plug_in_problem=plug_ins.problem,
        refresh=refresh,
    )
    interim = InterimSessions(
        store=stores.sessions,
        users=stores.users,
        clock=clock,
        key=stores.deployment.key.derive("interim-sessions"),
        max_idle_seconds=settings.sessions.max_idle_seconds,
        max_life_seconds=settings.sessions.max_life_seconds,
    )
    kept_tokens = KeptTokens(stores.deployment.key.derive("kept-tokens"))
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
            mapper=mapper,
            plug_in_mapping=PlugInMapping(plug_ins, mapper),
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
            interim=interim,
            keep=kept_tokens.seal,
        ),
        lifecycle=Lifecycle(
            instances=instances,
            registry=registry,
            tokens=stores.tokens,
            keys=keys,
            trail=trail,
            events=events,
            clock=clock,
            interim=interim,
        ),
        instances=instances,
        sessions=Sessions(
            store=stores.sessions,
            users=stores.users,
            authenticator=authenticator,
            replays=stores.replays,
            clock=clock,
            max_idle_seconds=settings.sessions.max_idle_seconds,
            max_life_seconds=settings.sessions.max_life_seconds,
        ),
        users=stores.users,
        factors=stores.factors,
        passwords=passwords,
        keys=keys,
        realms=realms,
        issuers=issuers,
        authorities=authorities,
        authentication=authentication,
        throttling=throttling,
        replays=stores.replays,
        journal=stores.journal,
        login_key=stores.deployment.key.derive("login-steps"),
        page_key=stores.deployment.key.derive("page-cookies"),
        kept_tokens=kept_tokens,
        metrics=metrics,
    )


def _announcer(settings: Settings, url: str, clock: Clock, stores: Stores) -> Announcer | None:
    """None where nobody is to be told of what happens."""
    channels = message_servers.event_channels(settings, stores)
    if not channels:
        return None
    writer = CloudEvents(
        url=url,
        key=stores.deployment.key.derive("pseudonym"),
        clock=clock,
        plain=settings.events.principal == "plain",
    )
    return Announcer(writer=writer, outbox=stores.outbox, channels=channels, clock=clock)


async def _bring_up_to_date(components: Components, stores: Stores) -> None:
    """What files declare: users, trusted issuers, certificate authorities, who checks logins, and
    instances."""
    settings = components.settings
    if settings.users.file is not None:
        await import_file(settings.users.file, stores.users)
    if settings.issuers.file is not None:
        await issuer_files.import_file(settings.issuers.file, components.issuers)
    if settings.authorities.file is not None:
        await authority_files.import_file(settings.authorities.file, components.authorities)
    file = settings.authentication.file
    if file is not None:
        await authentication_files.import_file(file, components.authentication)
    for path in settings.instances:
        await components.instances.load(toml.read(path))
