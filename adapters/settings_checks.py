"""Whether settings go together, and which of them deserve a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.settings_values import is_loopback

if TYPE_CHECKING:  # which asks here whether it holds together
    from adapters.settings import Settings


def conflicts(settings: Settings) -> list[str]:
    """Settings that are each right and do not go together."""
    found = []
    if settings.store_url == "memory://" and settings.workers > 1:
        found.append("store.url: memory:// cannot be shared; use one worker or sqlite:///PATH")
    http = settings.http
    if http.tls == "on" and not (http.tls_certificate and http.tls_key):
        found.append("http.tls: on needs http.tls_certificate and http.tls_key")
    if http.tls_client_ca is not None and http.tls != "on":
        found.append("http.tls_client_ca: only our own TLS asks for it; set http.tls to on")
    if http.tls == "off" and not is_loopback(http.host):
        found.append(
            f"http.host: {http.host} is reachable from other machines; set http.tls to on, "
            "or to offloaded if a proxy in front terminates TLS"
        )
    if http.management_host and http.management_port is None:
        found.append(
            "http.management_host: nothing listens there as long as http.management_port is not set"
        )
    if http.management_place == (http.host, http.port):
        found.append("http.management_port: http.port is the same; name another, or none")
    if len({realm.casefold() for realm in settings.all_realms}) < len(settings.all_realms):
        found.append("realms: two of them differ in letter case alone")
    return found


def warnings(settings: Settings) -> list[str]:
    """What works but deserves a second look."""
    found = _shown_to_anybody(settings)
    if settings.amqp.url is not None and settings.amqp.allow_anonymous:
        found.append("amqp.allow_anonymous: anybody who can publish to the queues may translate")
    if settings.mqtt.url is not None and settings.mqtt.allow_anonymous:
        found.append("mqtt.allow_anonymous: whom the server lets be anonymous may translate")
    found.extend(
        f"{name}.require_encrypted_credentials: passwords and tokens may wait in queues, readable"
        for name, section in (("amqp", settings.amqp), ("mqtt", settings.mqtt))
        if section.url is not None and not section.require_encrypted_credentials
    )
    found.extend(
        f"security.allow_legacy_output: {legacy} is weak; name it only if you must"
        for legacy in settings.security.allow_legacy_output
        if legacy != "cbc"
    )
    return found


def _shown_to_anybody(settings: Settings) -> list[str]:
    """Nothing secret, so that it is no reason to refuse."""
    http, place = settings.http, settings.http.management_place
    told = "reads the names of instances and how much they are used"
    if place is None and not is_loopback(http.host):
        why = "not set, so /metrics is on the main port; whoever reaches that"
    elif place is not None and http.tls != "offloaded" and not is_loopback(place[0]):
        why = f"{place[0]} is reachable from other machines, in plain HTTP; whoever reaches it"
    else:
        return []
    return [f"http.management_port: {why} {told}"]
