"""``remint bench http``: load on a token endpoint, from the command line alone."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from bench.commands import load_flags as flags
from bench.target.flags import KindOf, with_target
from bench.target.options import TargetOptions

CONNECTIONS = 100
"""In an open model: what finds none of them free waits, and that wait is part of its latency."""

Url = Annotated[str, typer.Argument(help="Where requests go, such as https://host/token.")]


def add_to(app: typer.Typer) -> None:
    app.command("http")(with_target(http))


def http(
    url: Url,
    target: TargetOptions,
    kind: KindOf,
    rate: flags.Rate = None,
    in_flight: flags.InFlight = None,
    ramp: flags.RampOf = None,
    steps: flags.Steps = None,
    saturate: flags.Saturate = False,
    duration: flags.Duration = flags.SECONDS,
    warm_up: flags.WarmUp = None,
    arrivals: flags.ArrivalsOf = flags.Arrivals.POISSON,
    connections: flags.Connections = None,
    processes: flags.Processes = 0,
    timeout: flags.Timeout = flags.SECONDS,
    seed: flags.Seed = flags.SEED,
    pid: flags.Pid = None,
    metrics: flags.Metrics = "",
    allow_errors: flags.AllowErrors = 0.0,
    allow_caches: flags.AllowCaches = False,
    verify: flags.Verify = True,
    p99: flags.P99 = 100.0,
    name: flags.Name = None,
    likeness: flags.LikenessOf = None,
    out: flags.Out = None,
    quiet: flags.Quiet = False,
) -> None:
    """Load a token endpoint with requests that are all different, and judge its answers.

    Open (--rate): latencies count from the moment when a request was to begin, so a server that
    stalls is seen to. Closed (--in-flight): the next request waits for an answer. One answer in a
    hundred is verified. Exit code 1 if an answer was wrong or the figures are not valid.
    """
    from bench.commands.told import kept, room, run_of, told
    from bench.driver.http import Endpoint, reached
    from bench.driver.loading import Loading, load
    from bench.driver.plan import NotPlanned
    from bench.driver.processes import DriverFailed
    from bench.driver.run import Rules
    from bench.processes import NotHere
    from bench.target import NotPrepared
    from bench.target.options import target_from

    warm = duration * flags.WARM_UP if warm_up is None else warm_up
    try:
        told_of = flags.likeness_of(likeness)
        plan = flags.plan_of(
            *(rate, in_flight, ramp, steps, saturate),
            seconds=duration,
            warm_up=warm,
            arrivals=arrivals,
            p99=p99,
            allow_errors=allow_errors,
        )
        pids = flags.pids_of(pid or [])
        reached(url)
        room(out)
        loaded = target_from(kind, url, target)
        loading = Loading(
            sender=Endpoint(loaded.url, loaded.head, target.ca).options(),
            plan=plan,
            lanes=connections or in_flight or CONNECTIONS,
            seed=seed,
            timeout=timeout,
            processes=processes,
            requests=target.requests,
            pids=pids,
            metrics=metrics,
            ca=target.ca,
            rules=Rules(
                saturated=ramp is not None or steps is not None or saturate,
                allow_errors=1.0 if saturate else allow_errors,
                headline=not allow_caches,
                checked=verify,
            ),
            quiet=quiet,
        )
        outcome = load(loading, loaded)
    except NotPlanned as error:
        raise typer.BadParameter(str(error)) from None
    except (NotPrepared, DriverFailed, NotHere, ValueError) as error:
        print(f"remint: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    facts = {**target.facts(), "connections": str(loading.lanes), "timeout": f"{timeout:g} s"}
    run = run_of(name or urlsplit(url).netloc, kind, outcome, seed, facts, "http", told_of)
    kept(run, out)
    raise typer.Exit(told(run, outcome))
