"""The sections of the settings that are about logins, and what people see of them afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters import settings_values
from adapters.directories.verified import MAX_SECONDS as MAX_CACHE_SECONDS
from adapters.telemetry.personal import Shown

MAX_SECONDS = 366 * 24 * 3600


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sessions(Section):
    max_idle_seconds: int = Field(default=1800, ge=1, le=MAX_SECONDS)
    max_life_seconds: int = Field(default=7200, ge=1, le=MAX_SECONDS)


class Passwords(Section):
    """The pool that checks password hashes: each check takes 19 MiB for about 20 ms."""

    threads: int = Field(default=2, ge=1, le=64)
    max_waiting: int = Field(default=200, ge=1, description="Checks that may wait; more get a 503.")
    cache_seconds: int = Field(
        default=0,
        ge=0,
        le=MAX_CACHE_SECONDS,
        description="Seconds for which a right password need not be hashed again; 0: always hash.",
    )


class Throttling(Section):
    """Failed logins make those after them wait."""

    shared_addresses: list[Annotated[str, AfterValidator(settings_values.network)]] = Field(
        default=[],
        description="Addresses or CIDR blocks that many people log in from, such as a gateway.",
    )


class Authentication(Section):
    """Who checks logins besides the broker itself."""

    file: Path | None = Field(
        default=None,
        description="TOML file of authentication modules and chains, imported at each start.",
    )
    folder: Path | None = Field(
        default=None, description="Folder of the files that modules name; unset: that of the file."
    )


class Audit(Section):
    file: Path | None = Field(default=None, description="Default: audit.log in the state folder.")
    fsync: bool = Field(default=False, description="Wait for the disk with each grouped write.")
    principals: Shown = Field(
        default="full", description="How audit and log name people: full, truncated or hashed."
    )
    addresses: Shown = Field(default="full", description="The same of the addresses of clients.")
