"""``remint bench peers``: servers of others beside ours, on this machine."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path("bench-results")
CACHE = Path("~/.cache/remint-bench")
ROUNDS = 5
SECONDS = 10.0
IN_FLIGHT = 32
SEED = 1
INTERRUPTED = 130


class Store(StrEnum):
    """Where ours keeps its tokens."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Peers; all if none is named.", metavar="[NAME]…", show_default=False),
]
Requests = Annotated[
    list[str] | None,
    typer.Option(
        "--request",
        help="Such as jwt-to-es256, once for each; all that both can be asked if none is named.",
        show_default=False,
    ),
]
Rounds = Annotated[int, typer.Option(min=1, max=99, help="Of each server, in turn.")]
Seconds = Annotated[
    float, typer.Option(min=0.5, help="A closed stage; the open one is half as long.")
]
WarmUp = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds.", show_default="60 on the JVM, else 5"),
]
InFlight = Annotated[int, typer.Option(min=1, help="Requests under way at once.")]
StoreOf = Annotated[Store, typer.Option("--store", help="Where ours keeps its tokens.")]
Cache = Annotated[Path, typer.Option(help="Where peers are installed.", file_okay=False)]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for a JSON document a run and the tables.",
        show_default="bench-results/peers-…",
        file_okay=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Of arrivals and samples.")]


def add_to(app: typer.Typer) -> None:
    app.command("peers")(peers)


def peers(
    names: Names = None,
    request: Requests = None,
    rounds: Rounds = ROUNDS,
    seconds: Seconds = SECONDS,
    warm_up: WarmUp = None,
    in_flight: InFlight = IN_FLIGHT,
    store: StoreOf = Store.MEMORY,
    cache: Cache = CACHE,
    out: Out = None,
    seed: Seed = SEED,
) -> None:
    """Install servers of others, and compare each with ours on this machine, round by round.

    Closed with so many in flight, then open at half the slower server's rate; one answer in a
    hundred is verified. Peers: oidc-provider, keycloak, openam, openam-not-kept, cxf, cxf-soap,
    zitadel-oidc. They come from npm, Maven Central and the Go module proxy; one whose tools are not
    here is skipped. Exit code 1 if a comparison failed or an answer was wrong.
    """
    from functools import partial

    from rich.console import Console

    from bench import ours
    from bench.case import Missing
    from bench.driver.table import console
    from bench.pair import Sizes, Stopped
    from bench.peers import REQUESTS
    from bench.peers.catalog import PEERS
    from bench.peers.openam import SESSIONS
    from bench.side_by_side import Plan, SideBySide

    _known("peer", names or [], list(PEERS))
    _known("request", request or [], list(REQUESTS))
    folder = out or RESULTS / f"peers-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    plan = Plan(
        peers={name: PEERS[name] for name in names or PEERS},
        cache=cache.expanduser(),
        out=folder,
        requests=request or (),
        sizes=Sizes(rounds, seconds, in_flight, warm_up, seed),
    )
    start = partial(ours.running, store=store, sessions=SESSIONS)
    work = SideBySide(plan, start, console(), Console(stderr=True))
    try:
        complete = work.measured()
    except Missing as missing:
        print(f"remint: {missing}", file=sys.stderr)
        raise typer.Exit(1) from None
    except Stopped:
        print(f"remint: stopped; what was measured until then is in {folder}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if work.compared:
        print(f"wrote {folder}", file=sys.stderr)
    raise typer.Exit(0 if complete else 1)


def _known(kind: str, given: list[str], known: list[str]) -> None:
    for name in given:
        if name not in known:
            raise typer.BadParameter(f"there is no {kind} {name}: {', '.join(known)}")
