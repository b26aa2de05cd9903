"""The command ``remint``: serve, and everything an operator does besides.

Each group of commands is a module of its own; administration goes through the HTTP front door,
that of a running broker (``--url``) or one opened for the moment on the local state folder.
"""

from __future__ import annotations

import sys

import typer

from adapters.bootstrap import REFUSALS
from adapters.cli import (
    auth,
    authorities,
    configuration,
    dead,
    instances,
    issuers,
    keys,
    migrate,
    plugged,
    realms,
    serving,
    store,
    tokens,
    transfer,
    translating,
    users,
)
from adapters.cli.client import CallFailed
from adapters.demo import DemoFailed
from adapters.printable import printable
from adapters.server import CertificateUnusable, PortTaken
from adapters.settings import InvalidSettings
from adapters.transfer import TransferRefused
from broker.errors import RemintError

SENTENCES = (CallFailed, CertificateUnusable, DemoFailed, PortTaken, TransferRefused)

app = typer.Typer(
    name="remint",
    help="Takes a security token of one kind and returns one of another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
serving.add_to(app)
app.add_typer(configuration.app, name="config")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(realms.app, name="realms")
app.add_typer(issuers.app, name="issuers")
app.add_typer(authorities.app, name="authorities")
app.add_typer(auth.app, name="auth")
app.add_typer(instances.app, name="instances")
app.add_typer(tokens.app, name="tokens")
app.add_typer(migrate.app, name="migrate")
app.add_typer(store.app, name="store")
app.add_typer(dead.app, name="dead")
translating.add_to(app)
transfer.add_to(app)
plugged.add_to(app)


def main() -> None:
    """Run the command line; what goes wrong is a sentence and exit code 1 or 2."""
    try:
        app()
    except InvalidSettings as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
    except (*SENTENCES, *REFUSALS, RemintError) as error:
        print("\n".join(map(printable, f"remint: {error}".split("\n"))), file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(printable(f"remint: {where}{error.strerror or error}"), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
