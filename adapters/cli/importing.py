"""``remint instances import``: from an export of ForgeRock or Ping AM to published instances."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, CallFailed, Client, run
from adapters.cli.putting import put
from adapters.migration import adopting, choices, exports
from adapters.migration.choices import BadChoice, Choices
from adapters.migration.exports import Unreadable
from adapters.migration.rows import Adopted, sorted_rows
from adapters.printable import printable

Files = Annotated[
    list[Path], typer.Argument(help="Exports, or folders of them.", exists=True, readable=True)
]
Realm = Annotated[
    str | None, typer.Option("--realm", help="Where all of them go; else where they were.")
]
Secrets = Annotated[
    list[str],
    typer.Option("--secret", help="INSTANCE.KEY=FILE: a secret that the export does not have."),
]
Values = Annotated[
    list[str], typer.Option("--set", help="INSTANCE.KEY=VALUE: in place of the export's value.")
]
PlugIns = Annotated[
    list[str], typer.Option("--plug-in", help="CLASS=NAME: the plug-in that stands for a class.")
]
Signature = Annotated[
    str | None,
    typer.Option(
        "--signature-algorithm",
        help="How assertions are signed where an export does not say: rsa-sha256 unless given.",
    ),
]

REFUSED, CHECKED, PUBLISHED, UPDATED = "refused", "would be published", "published", "updated"


def import_instances(
    files: Files,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it; publish nothing.")] = False,
    realm: Realm = None,
    signature_algorithm: Signature = None,
    realm_keys: Annotated[
        bool, typer.Option("--realm-keys", help="Sign with the realm's keys, not key stores.")
    ] = False,
    secret: Secrets = [],  # noqa: B006  # typer wants the list; it is never changed
    value: Values = [],  # noqa: B006
    plug_in: PlugIns = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="What was done, as JSON.")] = False,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Publish the instances of an export, and say of each key what was done with it.

    Reads what /sts-publish takes and answers, entities of Amster and of file-based configuration,
    and attribute lists. Exit code 1 if an instance was refused.
    """
    try:
        wanted = Choices(
            realm,
            choices.signature_algorithm(signature_algorithm),
            realm_keys,
            choices.values(value),
            choices.secrets(secret),
            choices.pairs("--plug-in", plug_in),
        )
        instances = [adopting.adopted(export, wanted) for export in exports.found(files)]
    except (BadChoice, Unreadable) as error:
        raise CallFailed(printable(str(error))) from None
    _refuse_twins(instances)
    _refuse_strangers(instances, wanted)
    if dry_run:
        legacy = frozenset(options.settings(config).security.allow_legacy_output)
        instances = [_checked(instance, legacy) for instance in instances]
        results = [CHECKED if instance.state else REFUSED for instance in instances]
    else:
        results = run(config, url, admin, _publishing(instances))
    _print(instances, results, as_json)
    if any(result.startswith(REFUSED) for result in results):
        raise typer.Exit(1)


def _refuse_twins(instances: Sequence[Adopted]) -> None:
    """The second of two would silently replace the first."""
    sources: dict[str, str] = {}
    for instance in instances:
        other = sources.setdefault(instance.name, instance.source)
        if other != instance.source:
            said = f"{instance.name} is in {other} and in {instance.source}; name one"
            raise CallFailed(printable(said))


def _refuse_strangers(instances: Sequence[Adopted], wanted: Choices) -> None:
    """An option for an instance that is not there is a slip of the pen."""
    names = {instance.name for instance in instances}
    for name, key in [*wanted.values, *wanted.secrets]:
        if name not in names:
            there = ", ".join(sorted(names))
            said = f"{name}.{key}: there is no such instance here; there are {there}"
            raise CallFailed(printable(said))


def _checked(instance: Adopted, allow_legacy: frozenset[str]) -> Adopted:
    """The same, refused where it breaks a rule."""
    broken = adopting.broken_rules(instance.state, allow_legacy) if instance.state else []
    if not broken:
        return instance
    rows = {row.key: row for row in (*instance.rows, *broken)}
    return replace(instance, rows=sorted_rows(rows.values()), state=None)


def _publishing(instances: Sequence[Adopted]) -> Callable[[Client], Awaitable[list[str]]]:
    async def work(client: Client) -> list[str]:
        return [await _published(client, instance) for instance in instances]

    return work


async def _published(client: Client, instance: Adopted) -> str:
    """One that is refused does not keep the others out."""
    if instance.state is None:
        return REFUSED
    try:
        there = await put(client, instance.name, instance.state)
    except CallFailed as error:
        return f"{REFUSED}: {error}"
    return UPDATED if there else PUBLISHED


def _print(instances: Sequence[Adopted], results: Sequence[str], as_json: bool) -> None:
    if as_json:
        pairs = zip(instances, results, strict=True)
        print(json.dumps([each.document(result) for each, result in pairs], indent=2))
        return
    for instance, result in zip(instances, results, strict=True):
        print("\n".join(instance.lines(result)))
