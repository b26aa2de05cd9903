"""Settings of the front door, and of the port for those who look after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from adapters import settings_values
from adapters.settings_logins import Section


class Http(Section):
    """The front door."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=settings_values.MAX_PORT)
    management_port: int | None = Field(
        default=None,
        ge=1,
        le=settings_values.MAX_PORT,
        description="Serves /livez, /readyz, /metrics, /openapi.json and /asyncapi.json, and port "
        "no longer does.",
    )
    management_host: str = Field(
        default="", description="Where management_port listens; empty: at http.host."
    )
    public_url: str = Field(
        default="", description="The realm's issuer; empty means the listening URL."
    )
    context_path: list[Annotated[str, AfterValidator(settings_values.context_path)]] = Field(
        default=["/openam", "/am"], description="Prefixes accepted in front of every AM path."
    )
    cookie_name: Annotated[str, AfterValidator(settings_values.header_name)] = "iPlanetDirectoryPro"
    tls: Literal["off", "offloaded", "on"] = Field(
        default="off",
        description="Binding beyond loopback needs on, or offloaded behind a TLS proxy.",
    )
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = Field(
        default=None, description="PEM; clients are asked for certificates that hang from these."
    )
    trusted_proxies: list[Annotated[str, AfterValidator(settings_values.network)]] = Field(
        default=[], description="Addresses or CIDR blocks whose X-Forwarded-For is believed."
    )
    max_concurrency: int = Field(
        default=256, ge=1, description="Requests in work at once, per worker."
    )
    max_connections: int = Field(
        default=10_000, ge=1, description="Connections open at once, per worker."
    )
    drain_seconds: float = Field(
        default=10.0, ge=0, description="How long a stop waits for open requests."
    )

    @property
    def management_place(self) -> tuple[str, int] | None:
        """Host and port of what those who look after brokers read; None: the front door's own."""
        if self.management_port is None:
            return None
        return self.management_host or self.host, self.management_port

    @property
    def management_url(self) -> str:
        """Where the management port listens; empty for the front door's own."""
        if self.management_place is None:
            return ""
        host, port = self.management_place
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
