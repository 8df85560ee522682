"""The commands under `deskbridge conversations`: which are one case, over the HTTP API."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.remote import HERE, Url, call
from gateway.commands.terminal import out

app = typer.Typer(no_args_is_help=True, help="Conversations: which of them are one case.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scopes read and desk.")
]
Conversation = Annotated[int, typer.Argument(metavar="CONVERSATION", help="The conversation's ref.")]


@app.callback()
def conversations() -> None:
    """Conversations: which of them are one case."""


@app.command("links")
def links(ref: Conversation, key: ApiKey, url: Url = HERE) -> None:
    """Show what a conversation is linked with."""
    _show(call("GET", url, key, _path(ref)))


@app.command("link")
def link(
    ref: Conversation,
    other: Annotated[int, typer.Argument(help="The ref of the conversation about the same matter.")],
    key: ApiKey,
    url: Url = HERE,
) -> None:
    """Make one case of two conversations at different connections; `unlink` undoes it."""
    _show(call("PUT", url, key, _path(ref), json={"other": other}))


@app.command("unlink")
def unlink(ref: Conversation, key: ApiKey, url: Url = HERE) -> None:
    """Let a conversation go its own way."""
    _show(call("DELETE", url, key, _path(ref)))


def _path(ref: int) -> str:
    return f"/v1/conversations/{ref}/links"


def _show(case: dict[str, Any]) -> None:
    table = Table("conversation", "connection", "id", "subject", "status", "tags")
    for item in case["conversations"]:
        row = (str(item["ref"]), item["connection"], item["id"], item["subject"], item["status"])
        table.add_row(*map(escape, row), escape(", ".join(item["tags"])))
    out.print(table if table.row_count else "not linked")
