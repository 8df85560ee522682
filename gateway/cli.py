"""deskbridge: the command line."""

import socket
import sys
from typing import NoReturn

import typer
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from adapters.errors import AdapterError
from config.settings import ConfigError
from gateway.commands import (
    conflicts,
    conversations,
    customers,
    database,
    demo,
    desk,
    export,
    keys,
    knowledge,
    limits,
    parked,
    pulling,
    rules,
    serving,
)
from gateway.commands.common import err
from gateway.export.manifest import ExportRefusedError
from gateway.migrate import SchemaMismatchError
from rules.policy import PolicyError

app = typer.Typer(
    no_args_is_help=True,
    help="The bridge between a SaaS helpdesk and your own systems.",
    add_completion=False,
)
app.command()(serving.serve)
app.command()(serving.worker)
app.command()(demo.demo)
app.command()(pulling.backfill)
app.command()(pulling.reconcile)
app.command()(limits.limits)
app.add_typer(customers.app, name="customers")
app.add_typer(database.app, name="db")
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(conversations.app, name="conversations")
app.add_typer(desk.app, name="desk")
app.add_typer(export.app, name="export")
app.add_typer(keys.app, name="keys")
app.add_typer(knowledge.app, name="knowledge")
app.add_typer(parked.app, name="parked")
app.add_typer(rules.app, name="rules")


def main() -> None:
    """Run the command; what the operator can mend is told in a line, without a traceback."""
    try:
        app()
    except (ConfigError, PolicyError, SchemaMismatchError, AdapterError, ExportRefusedError) as error:
        _refuse(str(error))
    except (ConnectionError, socket.gaierror) as error:
        _refuse_database(error)
    except DBAPIError as error:
        if error.statement is not None:
            raise
        _refuse_database(error.orig)


def _refuse_database(error: BaseException | None) -> NoReturn:
    cause = getattr(error, "__cause__", None) or error
    _refuse(f"the database can't be used: {cause}; check DESKBRIDGE_DATABASE_URL")


def _refuse(reason: str) -> NoReturn:
    err.print(f"[bold red]error:[/] {escape(reason)}", highlight=False, soft_wrap=True)
    sys.exit(2)
