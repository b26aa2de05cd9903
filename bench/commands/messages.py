"""``remint bench amqp`` and ``remint bench mqtt``: load by message, from the command line alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands import load_flags as flags
from bench.target.flags import with_target
from bench.target.options import TargetOptions, secret_from

if TYPE_CHECKING:
    from bench.driver.exchange import Exchange
    from bench.driver.loading import Loading
    from bench.target import Target

HELP = {
    "amqp": "Load Remint over AMQP 0-9-1",
    "mqtt": "Load Remint over MQTT 5",
}
RULES = """ with requests that are all different, and judge its answers.

Latency runs from the moment when a request was to be published to its answer. Open (--rate):
whether or not others were answered. Closed (--in-flight): the next request waits for an answer. One
answer in a hundred is verified. Nothing is sent twice. Exit code 1 if an answer was wrong or the
figures are not valid.
"""
PASSWORD_VARIABLE = "REMINT_BENCH_MESSAGE_PASSWORD"  # noqa: S105  # the name of a variable
MOST_IN_FLIGHT = 5_000
"""In an open model: what is beyond waits, and that wait is part of its latency."""
_MESSAGES = "Messages"

Url = Annotated[str, typer.Argument(help="The message server with the user: amqp://USER@HOST.")]
Instance = Annotated[str, typer.Argument(help="Such as customers/bench.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--server-password-file",
        help=f"The user's at the message server; else {PASSWORD_VARIABLE}, else asked for.",
        dir_okay=False,
        rich_help_panel=_MESSAGES,
    ),
]
Batch = Annotated[
    int,
    typer.Option(min=1, max=1000, help="Requests in each message.", rich_help_panel=_MESSAGES),
]
EncryptTo = Annotated[
    str,
    typer.Option(
        "--encrypt-to",
        help="JWK set of the server, URL or file: encrypt requests and answers.",
        rich_help_panel=_MESSAGES,
    ),
]
Most = Annotated[
    int,
    typer.Option(
        "--most-in-flight",
        min=1,
        help="Open: messages under way; what is beyond waits.",
        rich_help_panel=_MESSAGES,
    ),
]


def add_to(app: typer.Typer) -> None:
    for transport, said in HELP.items():
        app.command(transport, help=said + RULES)(with_target(_command(transport)))


def _command(transport: str) -> Callable[..., None]:
    def command(
        url: Url,
        instance: Instance,
        target: TargetOptions,
        server_password_file: PasswordFile = None,
        batch: Batch = 1,
        encrypt_to: EncryptTo = "",
        rate: flags.Rate = None,
        in_flight: flags.InFlight = None,
        ramp: flags.RampOf = None,
        steps: flags.Steps = None,
        saturate: flags.Saturate = False,
        duration: flags.Duration = flags.SECONDS,
        warm_up: flags.WarmUp = None,
        arrivals: flags.ArrivalsOf = flags.Arrivals.POISSON,
        most_in_flight: Most = MOST_IN_FLIGHT,
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
        from bench.commands.told import room
        from bench.driver.loading import Loading
        from bench.driver.plan import NotPlanned
        from bench.driver.processes import DriverFailed
        from bench.driver.run import Rules
        from bench.processes import NotHere
        from bench.queue_depth import watched
        from bench.target import NotPrepared

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
            room(out)
            server = {
                "transport": transport,
                "url": url,
                "instance": instance,
                "password": "",
                "batch": batch,
                "timeout": timeout,
            }
            loaded, exchange = _prepared(server, server_password_file, target, encrypt_to)
            loading = Loading(
                sender=exchange.options(),
                plan=plan,
                lanes=in_flight or most_in_flight,
                seed=seed,
                timeout=timeout,
                processes=processes,
                requests=target.requests,
                pids=flags.pids_of(pid or []),
                metrics=metrics,
                ca=target.ca,
                rules=Rules(
                    saturated=ramp is not None or steps is not None or saturate,
                    allow_errors=1.0 if saturate else allow_errors,
                    headline=not allow_caches,
                    checked=verify,
                ),
                quiet=quiet,
                batch=batch,
                watch_queue=lambda: watched(exchange),
            )
            code = _run(loading, loaded, exchange, target, name, told_of, out)
        except NotPlanned as error:
            raise typer.BadParameter(str(error)) from None
        except (NotPrepared, DriverFailed, NotHere, ValueError, OSError) as error:
            print(f"remint: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        raise typer.Exit(code)

    return command


def _prepared(
    server: dict[str, Any], password_file: Path | None, options: TargetOptions, encrypt_to: str
) -> tuple[Target, Exchange]:
    """What is sent, and where. Raises NotPrepared, ValueError, OSError."""
    from bench.driver.exchange import Exchange
    from bench.target.options import Kind, target_from

    exchange = Exchange.with_ca(options.ca, **server)  # before anything is asked for
    exchange.tls()
    password = secret_from(password_file, PASSWORD_VARIABLE) or _asked(exchange.user)
    target = target_from(Kind.REST_STS, exchange.instance, options)
    if exchange.batch > 1:
        from bench.target.batches import Batched

        target = Batched(target, exchange.batch)
    reply_key = None
    if encrypt_to:
        from bench.target.sealing import Sealed, keys_at

        target = Sealed(target, keys_at(encrypt_to, options.ca), quiet=options.quiet)
        reply_key = target.reply_key.as_dict(private=True)
    given = {**server, "password": password, "encrypted": bool(encrypt_to), "reply_key": reply_key}
    return target, Exchange.with_ca(options.ca, **given)


def _run(
    loading: Loading,
    target: Target,
    exchange: Exchange,
    options: TargetOptions,
    name: str | None,
    likeness: Any,
    out: Path | None,
) -> int:
    """The exit code. Raises NotPrepared, DriverFailed, NotHere, OSError."""
    from bench.commands.told import kept, run_of, told
    from bench.driver.loading import load

    outcome = load(loading, target)
    facts = {
        **options.facts(),
        "instance": exchange.instance,
        "batch": str(exchange.batch),
        "encrypted": "yes" if exchange.encrypted else "no",
        "most in flight": str(loading.lanes),
        "timeout": f"{loading.timeout:g} s",
    }
    request = target.kind
    request += f", {exchange.batch} in a message" if exchange.batch > 1 else ""
    request += ", encrypted" if exchange.encrypted else ""
    run = run_of(
        *(name or f"{exchange.host}:{exchange.port}", request, outcome, loading.seed),
        *(facts, exchange.transport, likeness),
    )
    kept(run, out)
    return told(run, outcome)


def _asked(user: str) -> str:
    """Empty where nobody can answer: the message server then says what it lacks."""
    if not sys.stdin.isatty():
        return ""
    return str(typer.prompt(f"password of {user}", hide_input=True, err=True))
