"""deskbridge: the command line."""

import sys

import typer

from adapters.errors import AdapterError
from config.settings import ConfigError
from gateway.commands import database, serving
from gateway.commands.common import err
from gateway.migrate import SchemaMismatchError
from rules.policy import PolicyError

app = typer.Typer(
    no_args_is_help=True,
    help="The bridge between a SaaS helpdesk and your own systems.",
    add_completion=False,
)
app.command()(serving.serve)
app.command()(serving.worker)
app.add_typer(database.app, name="db")


def main() -> None:
    """Run the command; what the operator can mend is told in a line, without a traceback."""
    try:
        app()
    except (ConfigError, PolicyError, SchemaMismatchError, AdapterError) as error:
        err.print(f"[bold red]error:[/] {error}", highlight=False)
        sys.exit(2)
