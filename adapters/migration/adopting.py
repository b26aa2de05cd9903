"""From an export to an ``instance_state`` of ours, with a word about each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.authentication.compiled import OWN_VALIDATORS
from adapters.instances import forgerock, view_bean, wire_rules
from adapters.instances.forgerock_deployment import TARGETS
from adapters.migration import known, secret_values, wire
from adapters.migration.choices import Choices
from adapters.migration.exports import Export
from adapters.migration.packed import Unpackable, texts, typed_placeholder
from adapters.migration.rows import (
    ADDED,
    CHANGED,
    EMPTY,
    KEPT,
    LEFT_OUT,
    REFUSED,
    Adopted,
    Row,
    Work,
    sorted_rows,
)
from broker.errors import InvalidInstance
from broker.instance import compiled
from broker.instance_rules import STANDARD_INPUTS
from broker.model import OPENIDCONNECT, SAML2, X509, instance_id, normal_realm

_ELEMENT, _REALM = "deployment-url-element", "deployment-realm"
_AROUND = ("_id", "_rev", "_type")


def adopted(export: Export, choices: Choices) -> Adopted:
    """The instance of an export, as the operator chose; nothing is published."""
    work = Work("", export.source, export.form, {})
    _flat(work, export.members)
    _place(work, export, choices)
    secret_values.given(work, choices)
    _left_out(work)
    _unused_sections(work)
    secret_values.placeholders(work)
    if _issues(work, SAML2):
        wire.assertions(work, choices)
    if _issues(work, OPENIDCONNECT):
        wire.id_tokens(work, choices)
    _plug_ins(work, choices)
    _inputs(work)
    secret_values.needed(work)
    state = _structured(work)
    for key in work.flat:
        work.rows.setdefault(key, Row(key, KEPT))
    rows = sorted_rows(work.rows.values())
    return Adopted(work.name, work.source, work.form, rows, None if work.refused else state)


def broken_rules(state: Mapping[str, Any], allow_legacy: frozenset[str]) -> list[Row]:
    """What a broker would refuse of it, as far as that can be said without one."""
    draft, problems = forgerock.decode(state)
    problems += wire_rules.missing(state)
    try:
        compiled(
            draft,
            known_inputs=frozenset(draft.custom_validators),
            known_outputs=frozenset(draft.custom_providers),
            allow_legacy=allow_legacy,
            plug_in_problem=lambda _field, _name: None,
        )
    except InvalidInstance as error:
        problems += [forgerock.named(problem) for problem in error.problems]
    return [Row(key, REFUSED, said) for key, said in dict.fromkeys(problems)]


def _flat(work: Work, members: Mapping[str, Any]) -> None:
    for key, value in members.items():
        if key in _AROUND:
            continue
        placeholder = typed_placeholder(value)
        try:
            found = [placeholder] if placeholder is not None else texts(key, value)
        except Unpackable as error:
            work.say(key, REFUSED, str(error))
            continue
        if found:
            work.flat[key] = found
        else:
            work.say(key, LEFT_OUT, EMPTY)


def _place(work: Work, export: Export, choices: Choices) -> None:
    """Where the instance stands; from then on it has its name."""
    if not work.text(_ELEMENT) and export.entity:
        element = export.entity.rstrip("/").rpartition("/")[2]
        work.put(_ELEMENT, element, ADDED, "the name that the export has for the instance")
    realm = work.text(_REALM)
    if choices.realm is not None and normal_realm(choices.realm) != normal_realm(realm or "/"):
        work.put(_REALM, normal_realm(choices.realm), CHANGED, "given with --realm")
    elif not realm:
        work.put(_REALM, export.realm or "/", ADDED, "where the export was made")
    work.name = instance_id(normal_realm(work.text(_REALM)), work.text(_ELEMENT)) or work.source


def _left_out(work: Work) -> None:
    for key in list(work.flat):
        if key in known.SAID:
            work.drop(key, known.SAID[key])
        elif key not in known.KEYS:
            work.drop(key, "no REST STS instance has such a key")


def _issues(work: Work, output: str) -> bool:
    keys = (forgerock.STANDARD_TRANSFORMS, forgerock.CUSTOM_TRANSFORMS)
    transforms = [text for key in keys for text in work.flat.get(key, ())]
    return any(output in _parts(text)[1:2] for text in transforms)


def _takes(work: Work, given: str) -> bool:
    transforms = work.flat.get(forgerock.STANDARD_TRANSFORMS, [])
    return any(given in _parts(text)[:1] for text in transforms)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("|")]


def _unused_sections(work: Work) -> None:
    """Exports fill in what an instance does not issue; half-empty options would break rules."""
    for section, output in ((forgerock.SAML2, SAML2), (forgerock.OIDC, OPENIDCONNECT)):
        if _issues(work, output):
            continue
        for key in [key for key in work.flat if known.section_of(key) == section]:
            work.drop(key, f"no transform issues {output}")


def _plug_ins(work: Work, choices: Choices) -> None:
    """Classes of the reference cannot run here; a plug-in of ours may stand for one."""
    for key in [key for key in work.flat if key in known.CLASSES]:
        named = work.text(key)
        if named in choices.plug_ins:
            work.put(key, choices.plug_ins[named], CHANGED, f"in place of {named}")
        elif _is_class(named):
            work.say(key, REFUSED, _no_java(named))
    for key in [key for key in known.OPERATIONS if key in work.flat]:
        work.flat[key] = [_operation(work, key, text, choices) for text in work.flat[key]]


def _operation(work: Work, key: str, text: str, choices: Choices) -> str:
    name, _, named = text.partition("|")
    if named.strip() in choices.plug_ins:
        work.say(key, CHANGED, f"plug-ins in place of {named.strip()}")
        return f"{name}|{choices.plug_ins[named.strip()]}"
    if _is_class(named.strip()):
        work.say(key, REFUSED, _no_java(named.strip()))
    return text


def _is_class(named: str) -> bool:
    """Plug-ins here have no dots in their names, and ``module:attr`` has a colon."""
    return "." in named and ":" not in named


def _no_java(named: str) -> str:
    return (
        f"{named} is a Java class, which cannot run here; write a plug-in that does the same "
        f"and give --plug-in {named}=NAME"
    )


def _inputs(work: Work) -> None:
    """Who checks what comes in is this broker's own configuration."""
    if TARGETS in work.flat:
        work.say(TARGETS, KEPT, _targets(work.flat[TARGETS]))
    if _takes(work, X509) and work.flat.get("deployment-tls-offload-engine-hosts") == ["any"]:
        said = "any: whoever reaches the broker can present any certificate; name your proxies"
        work.say("deployment-tls-offload-engine-hosts", KEPT, said)


def _targets(mappings: list[str]) -> str:
    """What becomes of the chains and modules that an instance names."""
    named = [_parts(text) for text in mappings]
    missing = [
        " ".join(parts[1:3])
        for parts in named
        if parts[0] in STANDARD_INPUTS and tuple(parts[1:3]) not in OWN_VALIDATORS
    ]
    if not missing:
        return (
            "where the realm has no chain or module of the name, USERNAME is checked against the "
            "realm's users, OPENIDCONNECT against its trusted issuers, X509 against its "
            "certificate authorities"
        )
    return (
        f"an export does not say what {', '.join(dict.fromkeys(missing))} is; the realm needs a "
        "chain (service) or module of the name, or what it would check is a 400: write it with "
        "remint auth put"
    )


def _structured(work: Work) -> dict[str, Any]:
    try:
        return view_bean.structured(work.flat)
    except InvalidInstance as error:
        for key, said in error.problems:
            work.say(key, REFUSED, said)
        return {}
