"""``python -m bench``: every case at its quick size; ``python -m bench NAME …``: one case."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import Protocol

from bench.cases import (
    amqp_messages,
    amqp_overload,
    million_tokens,
    redis_coalesced_writes,
    session_to_oidc_es256,
)
from bench.rabbitmq_server import RabbitMQMissing
from bench.redis_server import RedisMissing


class Case(Protocol):
    """What a module of ``bench.cases`` offers."""

    NAME: str
    TITLE: str

    def add_options(self, parser: ArgumentParser) -> None: ...

    def report(self, options: Namespace) -> Iterator[str]:
        """The lines to print, each as soon as it is known; raises RedisMissing,
        RabbitMQMissing."""


CASES: tuple[Case, ...] = (
    session_to_oidc_es256,
    amqp_messages,
    amqp_overload,
    redis_coalesced_writes,
    million_tokens,
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(prog="python -m bench", description="Measures what things cost.")
    names = parser.add_subparsers(dest="name", metavar="NAME", help="a case; all if none is named")
    for case in CASES:
        case.add_options(names.add_parser(case.NAME, help=case.TITLE, description=case.__doc__))
    chosen = parser.parse_args(arguments)
    print("CPU time; medians of alternating rounds, and in brackets the middle half of them")
    for case in CASES:
        if chosen.name is None:
            _show(case, parser.parse_args([case.NAME]))
        elif chosen.name == case.NAME:
            _show(case, chosen)


def _show(case: Case, options: Namespace) -> None:
    print(f"\n{case.NAME}: {case.TITLE}", flush=True)
    try:
        for line in case.report(options):
            print(f"  {line}".rstrip(), flush=True)
    except (RedisMissing, RabbitMQMissing) as missing:
        print(f"  skipped: {missing}", flush=True)


if __name__ == "__main__":
    main()
