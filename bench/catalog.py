"""All cases, in the order in which they are measured."""

from __future__ import annotations

from typing import Any

from bench.case import Case
from bench.cases import (
    amqp,
    amqp_overload,
    crypto,
    http,
    instances,
    latency,
    ldap,
    memory,
    pipeline,
    providers,
    redis_writes,
    stored_tokens,
    validators,
    workers,
)

CASES: tuple[Case[Any], ...] = (
    crypto.CASE,
    validators.CASE,
    ldap.CASE,
    providers.CASE,
    pipeline.CASE,
    *http.CASES,
    *amqp.CASES,
    amqp_overload.CASE,
    workers.CASE,
    redis_writes.CASE,
    *stored_tokens.CASES,
    instances.CASE,
    latency.CASE,
    memory.CASE,
)
