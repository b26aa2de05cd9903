"""Settings: a TOML file and ``REMINT_<SECTION>__<KEY>`` variables, the variable winning.

Every secret also has a ``…_FILE`` form naming a file that holds it. Loading reports every problem
at once, as does ``remint config check``; what it returns is frozen.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from adapters import settings_checks, settings_values
from adapters.settings_http import Http
from adapters.settings_logins import (
    MAX_SECONDS,
    Audit,
    Authentication,
    Passwords,
    Section,
    Sessions,
    Throttling,
)
from adapters.settings_secrets import (
    PREFIX,
    file_variables,
    secrets_in_files,
    unreadable_files,
)
from broker.model import Secret

CONFIG_VARIABLE = "REMINT_CONFIG"  # names the TOML file, as --config does

WORDS = {  # where the library's own speak of its insides
    "extra_forbidden": "no such setting",
    "list_type": "write a list; in a variable as JSON",
    "int_parsing": "write a whole number",
    "bool_parsing": "write true or false",
}

LegacyOutput = Literal["sha1", "rsa-1_5", "cbc", "short-hmac"]


class InvalidSettings(Exception):
    """The settings do not hold together; ``problems`` lists each as a sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Store(Section):
    """Where tokens, sessions, instances, users and answers are kept."""

    url: SecretStr | None = Field(
        default=None,
        description="sqlite:///PATH, memory:// or a Redis; unset: SQLite in the state folder.",
    )
    reap_seconds: float = Field(
        default=60.0, gt=0, description="Pause between removals of what expired."
    )
    require_durable: bool = Field(
        default=False, description="Refuse a store that may lose what it has acknowledged."
    )
    wait_replicas: int = Field(
        default=0,
        ge=0,
        le=16,
        description="Redis replicas that must have a write before it counts.",
    )


class Keys(Section):
    """What wraps the deployment key, and how signing keys change."""

    root_secret: SecretStr | None = None
    previous_root_secret: SecretStr | None = Field(
        default=None, description="The one before, while a new one takes over."
    )
    wrapping_certificate: Path | None = Field(
        default=None, description="PEM; its key wraps the deployment key, not a root secret."
    )
    wrapping_key: Path | None = Field(
        default=None, description="PEM of the certificate's private key, RSA or EC."
    )
    wrapping_passphrase: SecretStr | None = Field(default=None, description="Of that key.")
    wrapper: str = Field(
        default="", description="Name of a plug-in that wraps the deployment key, such as a KMS."
    )
    passphrase: SecretStr | None = Field(
        default=None, description="Of keys in files that an earlier version wrote."
    )
    keystore_dir: Path | None = Field(
        default=None, description="Folder of the key stores that instances may name; none if unset."
    )
    jwks_max_age: int = Field(
        default=300,
        ge=1,
        le=86400,
        description="Seconds for which a client may keep the JWKS; a new key waits that long.",
    )
    rotate_every: int = Field(
        default=0, ge=0, le=10 * MAX_SECONDS, description="Seconds a key signs for; 0: until told."
    )
    signing_threads: Annotated[str | int, AfterValidator(settings_values.signing_threads)] = Field(
        default="auto",
        description="Threads for RSA signatures; inline: none; auto: by cores and workers.",
    )


class Admin(Section):
    """The administrator that a first start creates."""

    password: SecretStr | None = None


class Users(Section):
    file: Path | None = Field(
        default=None, description="TOML file of users, imported at each start."
    )


class Issuers(Section):
    file: Path | None = Field(
        default=None, description="TOML file of trusted issuers, imported at each start."
    )


class Authorities(Section):
    file: Path | None = Field(
        default=None, description="TOML file of certificate authorities, imported at each start."
    )


class Plugins(Section):
    allowed: list[str] = Field(
        default=[],
        description="Plug-ins of the form module:attribute that instances may name.",
    )


class Security(Section):
    allow_legacy_output: list[LegacyOutput] = Field(
        default=["cbc"], description="Weak outputs that an instance may ask for by name."
    )


class Answers(Section):
    ttl: int = Field(
        default=86400,
        ge=60,
        le=MAX_SECONDS,
        description="Seconds for which an idempotent request keeps its answer.",
    )
    requests_per_hour: int = Field(
        default=1_000_000, ge=1, description="Requests with an id that one requester may send."
    )
    requests_per_hour_of_strangers: int = Field(
        default=1_000,
        ge=1,
        description="The same, of one subject, for callers known by its tokens alone.",
    )


class Amqp(Section):
    """Translation by message. Off while ``url`` is not set."""

    url: Annotated[SecretStr | None, AfterValidator(settings_values.amqp_url)] = None
    prefetch: int = Field(
        default=32, ge=1, le=1000, description="Requests in work at once, per worker."
    )
    batch_prefetch: int = Field(
        default=2, ge=1, le=100, description="Batches in work at once, per worker."
    )
    control_prefetch: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Validations, cancels and results in work at once, per worker.",
    )
    allow_anonymous: bool = Field(default=False, description="Accept requests without a user_id.")
    require_encrypted_credentials: bool = Field(
        default=True, description="Refuse a credential that anybody at the queue could read."
    )
    dead_letter_key: Path | None = Field(
        default=None,
        description="Public key, JWK or PEM, that the bodies of dead letters are encrypted to.",
    )


class Mqtt(Section):
    """Translation by MQTT 5. Off while ``url`` is not set."""

    url: Annotated[SecretStr | None, AfterValidator(settings_values.mqtt_url)] = None
    prefetch: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Requests in work at once, per worker: the Receive Maximum.",
    )
    session_expiry: int = Field(
        default=86400,
        ge=60,
        le=MAX_SECONDS,
        description="Seconds for which the message server keeps requests while no broker is there.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of who certified the message server; unset: the system's."
    )
    allow_anonymous: bool = Field(
        default=False, description="Accept requests under the user name anonymous."
    )
    require_encrypted_credentials: bool = Field(
        default=True, description="Refuse a credential that anybody at the topic could read."
    )


class Requesters(Section):
    """Who is known by a key, besides those whom a message server knows."""

    jwks_file: Path | None = Field(
        default=None, description="JWK set of those who sign their requests; read when it changes."
    )


class Events(Section):
    """What is announced to whom."""

    principal: Literal["pseudonym", "plain"] = Field(
        default="pseudonym", description="How events name who a token speaks for."
    )
    keep: int = Field(
        default=1000, ge=0, le=1_000_000, description="Events kept for GET /events; 0: none."
    )
    send: bool = Field(
        default=True, description="Send events to the message servers whose `url` is set."
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class _Environment(EnvSettingsSource):
    """Variables. The ``…_FILE`` ones are read elsewhere; a list or table is written as JSON."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        files = {name.lower() for name in file_variables(secret_paths())}
        self.env_vars = {name: value for name, value in self.env_vars.items() if name not in files}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """What is not JSON stays text, so that it is reported together with all else."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    state_dir: Annotated[Path, AfterValidator(settings_values.folder)] = Path(".remint")
    workers: int = Field(default=1, ge=1, le=256)
    realms: list[Annotated[str, AfterValidator(settings_values.realm)]] = Field(
        default=[], description="Realms besides the root realm, such as /customers."
    )
    instances: list[Path] = Field(
        default=[], description="TOML files of instances, read at each start."
    )
    http: Http = Http()
    store: Store = Store()
    keys: Keys = Keys()
    admin: Admin = Admin()
    sessions: Sessions = Sessions()
    passwords: Passwords = Passwords()
    throttling: Throttling = Throttling()
    users: Users = Users()
    issuers: Issuers = Issuers()
    authorities: Authorities = Authorities()
    authentication: Authentication = Authentication()
    plugins: Plugins = Plugins()
    security: Security = Security()
    audit: Audit = Audit()
    answers: Answers = Answers()
    amqp: Amqp = Amqp()
    mqtt: Mqtt = Mqtt()
    requesters: Requesters = Requesters()
    events: Events = Events()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # ours takes its place
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the library names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        secrets = InitSettingsSource(
            settings_cls, init_kwargs=secrets_in_files(secret_paths(), os.environ)
        )
        return _Environment(settings_cls), secrets, init_settings

    @property
    def store_url(self) -> str:
        given = self.store.url.get_secret_value() if self.store.url else ""
        return given or f"sqlite:///{self.state_dir / 'remint.db'}"

    @property
    def audit_file(self) -> Path:
        return self.audit.file or self.state_dir / "audit.log"

    @property
    def authentication_folder(self) -> Path:
        """Where the files are that authentication modules name."""
        named = self.authentication.folder
        if named is None and self.authentication.file is not None:
            return self.authentication.file.parent
        return named or self.state_dir / "authentication"

    @property
    def all_realms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("/", *self.realms)))


class _Merged(Settings):
    """Made of what it is given alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library names it, here and below
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from ``config`` (else the file ``REMINT_CONFIG`` names) and the environment.

    ``overrides`` come from the command line and win over both; None means not given.
    Raises InvalidSettings with every problem.
    """
    settings, problems = examined(config, **overrides)
    if problems:
        raise InvalidSettings(problems)
    return settings


def examined(config: Path | None = None, **overrides: Any) -> tuple[Settings, list[str]]:
    """The settings, as ``load`` has them, and every problem with them. What is wrong has its
    default there, so that the others can be looked at all the same.

    Raises InvalidSettings for a file that cannot be read.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else None)
    document = _read_toml(path) if path else {}
    problems = [
        *_unknown_variables(os.environ),
        *unreadable_files(secret_paths(), os.environ),
    ]
    wrong: set[str] = set()
    try:
        settings = Settings(**document)
    except ValidationError as error:
        problems += _sentences(error)
        places = [problem["loc"][:2] for problem in error.errors(include_input=False)]
        wrong = {".".join(map(str, place)) for place in places}
        settings = _Merged(**_without(places, document))
    given = {key: value for key, value in overrides.items() if value is not None}
    settings = settings.model_copy(update=given)
    # What a wrong setting is at odds with is not known before it is right.
    conflicts = settings_checks.conflicts(settings)
    return settings, [
        *problems,
        *(said for said in conflicts if not any(name in said for name in wrong)),
    ]


def _without(
    places: Iterable[tuple[int | str, ...]], document: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``Settings`` takes from the file and the environment, less what is at those places."""
    found: dict[str, Any] = {}
    environment = _Environment(Settings)()
    for source in (document, secrets_in_files(secret_paths(), os.environ), environment):
        for name, value in source.items():
            before = found.get(name)
            if isinstance(before, dict) and isinstance(value, dict):
                value = {**before, **value}
            found[name] = value
    for section, *key in places:
        inner = found.get(str(section))
        if key and isinstance(inner, dict):
            found[str(section)] = {name: each for name, each in inner.items() if name != key[0]}
        else:
            found.pop(str(section), None)
    return found


def secret(value: SecretStr | None) -> Secret | None:
    """The core's kind of secret; an empty one counts as not set."""
    return Secret(value.get_secret_value()) if value is not None and value else None


def secret_paths() -> list[tuple[str, ...]]:
    """Where the secrets are, as (section, key)."""
    return [
        (section, key)
        for section, outer in Settings.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for key, inner in outer.annotation.model_fields.items()
        if SecretStr in get_args(inner.annotation)
    ]


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Misspelt variables: those with our prefix that name no setting."""
    top = {name.upper() for name in Settings.model_fields}
    files = file_variables(secret_paths())
    return [
        f"{name}: no such setting"
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and name != CONFIG_VARIABLE
        and name not in files
        and name.removeprefix(PREFIX).split("__")[0] not in top
    ]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidSettings([f"{path}: {error.strerror}"]) from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise InvalidSettings([f"{path}: {error}"]) from None


def _sentences(error: ValidationError) -> list[str]:
    """Each problem by its setting's name; the value stays out, as it may be a secret."""
    return [
        f"{'.'.join(str(part) for part in problem['loc'])}: "
        + WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        for problem in error.errors(include_url=False, include_input=False)
    ]
