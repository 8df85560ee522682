"""deskbridge: the command line."""

import gc
import socket
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

import typer
from rich.markup import escape
from typer.core import TyperGroup

from adapters.errors import AdapterError
from config.refusal import RefusalError
from gateway.commands.terminal import err

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "serve": ("serving", "Serve webhooks, API and console; with a worker inside unless told otherwise."),
        "worker": (
            "serving",
            "Work lanes and dispatch commands; start as many as you like, here or elsewhere.",
        ),
        "demo": (
            "demo",
            "Serve a made-up shop's customers, show what happened, and stay for you to look around.",
        ),
        "backfill": (
            "pulling",
            "Import a connection's customers, conversations and messages as history: nothing acts on them.",
        ),
        "reconcile": (
            "pulling",
            "Compare what a connection holds with what we hold, heal what differs, mark what is gone.",
        ),
        "limits": (
            "limits",
            "Show how much of every vendor's limit is left, and when it will be used up if it goes on so.",
        ),
        "adapters": ("adapters", "Adapters: what is installed, what it can do, making one."),
        "customers": ("customers", "Customers: which of them are one person."),
        "db": ("database", "The database."),
        "conflicts": ("conflicts", "Conflicts over shared fields: see, decide, undo."),
        "conversations": ("conversations", "Conversations: which of them are one case."),
        "desk": ("desk", "The built-in desk: take over, answer, hand back."),
        "export": (
            "export",
            "Write the conversation log as JSON Lines; a second run continues where the first stopped.",
        ),
        "keys": ("keys", "Keys for the API and the console."),
        "knowledge": ("knowledge", "What the AI answers from."),
        "parked": ("parked", "What was parked: look at it, replay it, drop it."),
        "rules": ("rules", "The policies: when does a person take over?"),
    }
)
"""By name: the module below `gateway.commands`, and what `--help` says without importing it."""


def load(name: str) -> Any:
    """The command, imported."""
    gc.disable()  # it finds nothing in modules, and would walk through all of them again and again
    module = import_module(f"gateway.commands.{COMMANDS[name][0]}")
    gc.enable()
    whole = typer.Typer()
    group: typer.Typer | None = getattr(module, "app", None)
    if group is not None:
        whole.add_typer(group, name=name)
    else:
        whole.command(name)(getattr(module, name))
    return typer.main.get_group(whole).commands[name]


class LazyGroup(TyperGroup):
    """Commands of which only the one that is called is imported."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was called for, by its name."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(str(name)), rest


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    help="The bridge between a SaaS helpdesk and your own systems.",
    add_completion=False,
)


def _to_be_imported() -> None:
    """Stands where a command is listed."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(_to_be_imported)


def main() -> None:
    """Run the command; what the operator can mend is told in a line, without a traceback."""
    try:
        app()
    except (RefusalError, AdapterError) as error:
        _refuse(str(error))
    except (ConnectionError, socket.gaierror) as error:
        _refuse_database(error)
    except Exception as error:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - many commands need no database

        if not isinstance(error, DBAPIError) or error.statement is not None:
            raise
        _refuse_database(error.orig)


def _refuse_database(error: BaseException | None) -> NoReturn:
    cause = getattr(error, "__cause__", None) or error
    _refuse(f"the database can't be used: {cause}; check DESKBRIDGE_DATABASE_URL")


def _refuse(reason: str) -> NoReturn:
    err.print(f"[bold red]error:[/] {escape(reason)}", highlight=False, soft_wrap=True)
    sys.exit(2)
