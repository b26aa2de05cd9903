"""``deployment-config``: where an instance stands, and who checks what comes in (3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.instances.forgerock_keys import without_nothing
from adapters.instances.members import Members
from broker.instance import AuthTarget, Instance
from broker.model import TokenType

TARGETS = "deployment-auth-target-mappings"
INDEX_TYPE = "mapping-auth-index-type"
INDEX_VALUE = "mapping-auth-index-value"
CONTEXT = "mapping-context"

KEYS = {
    "url_element": "deployment-url-element",
    "auth_targets": TARGETS,
    "auth_targets.type": INDEX_TYPE,
    "auth_targets.value": INDEX_VALUE,
    "certificate_header": "deployment-offloaded-two-way-tls-header-key",
    "offload_hosts": "deployment-tls-offload-engine-hosts",
}


def targets(place: Members) -> dict[TokenType, AuthTarget]:
    """Who checks each type of input."""
    return {TokenType(name): target for name, target in _targets(place)}


def _targets(place: Members) -> Iterator[tuple[str, AuthTarget]]:
    mappings = Members(place.value(TARGETS), TARGETS, place.problems)
    for name in mappings.names():
        if not isinstance(mappings.value(name), dict):
            place.wrong(TARGETS, f"write an object for {name}")
            continue
        entry = Members(mappings.value(name), name, place.problems)
        yield (
            name,
            AuthTarget(entry.text(INDEX_TYPE), entry.text(INDEX_VALUE), entry.text_map(CONTEXT)),
        )


def encode(instance: Instance) -> dict[str, Any]:
    """The section of an instance."""
    return {
        "deployment-url-element": instance.url_element,
        "deployment-realm": instance.realm,
        TARGETS: {name: _target_state(each) for name, each in instance.auth_targets.items()},
        **without_nothing(
            {
                "deployment-offloaded-two-way-tls-header-key": instance.certificate_header,
                "deployment-tls-offload-engine-hosts": list(instance.offload_hosts),
            }
        ),
    }


def _target_state(target: AuthTarget) -> dict[str, Any]:
    return {
        INDEX_TYPE: target.index_type,
        INDEX_VALUE: target.index_value,
        CONTEXT: dict(target.context) or None,
    }
