"""The commands under `deskbridge conflicts`: over the HTTP API."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.desk import Agent, Name
from gateway.commands.remote import HERE, Url, call
from gateway.commands.terminal import out
from sync.resolving import Choice

app = typer.Typer(no_args_is_help=True, help="Conflicts over shared fields: see, decide, undo.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scopes read and desk.")
]
Ref = Annotated[int, typer.Argument(metavar="CONFLICT", help="The conflict's ref: see `list`.")]
CONFLICTS = "/v1/conflicts"


@app.callback()
def conflicts() -> None:
    """Conflicts over shared fields: see, decide, undo."""


@app.command("list")
def list_conflicts(
    key: ApiKey,
    url: Url = HERE,
    state: Annotated[str, typer.Option(help="open, resolved, all.")] = "open",
) -> None:
    """Show the fields of which two sides say different things."""
    path: str | None = CONFLICTS
    query: dict[str, str] | None = {"state": state}
    table = Table("conflict", "of", "field", "ours", "theirs", "opened", "decided")
    while path:
        page = call("GET", url, key, path, params=query)
        for item in page["items"]:
            table.add_row(*map(escape, _row(item)))
        path, query = page["next"], None
    out.print(table if table.row_count else "no conflicts")


def _row(item: dict[str, Any]) -> list[str]:
    return [
        str(item["ref"]),
        _whose(item),
        item["field"],
        *(_version(item[side]) for side in ("ours", "theirs")),
        item["opened_at"][:16],
        item["choice"] or "",
    ]


def _whose(item: dict[str, Any]) -> str:
    """The customer, or the conversation that a linked one's field is in dispute with."""
    if item["conversation_ref"] is not None:
        return f"conversation {item['conversation_ref']} ({item['customer_name']})"
    return f"{item['customer_name']} ({item['customer_ref']})"


def _version(version: dict[str, Any]) -> str:
    who = " ".join(filter(None, (version["connection"], version["by"])))
    return f"{_json(version['value'])} ({who or 'nobody'}, {(version['at'] or '')[:16]})"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@app.command("show")
def show(ref: Ref, key: ApiKey, url: Url = HERE) -> None:
    """Show a conflict: both values, who wrote them and when, and what they started from."""
    _show(call("GET", url, key, f"{CONFLICTS}/{ref}"))


@app.command("resolve")
def resolve(
    ref: Ref,
    choice: Annotated[Choice, typer.Argument(help="Whose value is right.")],
    key: ApiKey,
    agent: Agent,
    *,
    value: Annotated[str | None, typer.Option(help="With `value`: the right one, as JSON.")] = None,
    url: Url = HERE,
    name: Name = "",
) -> None:
    """Decide a conflict: the value is written to every side that holds another."""
    body: dict[str, Any] = {"agent": {"id": agent, "name": name}, "choice": choice.value}
    if choice is Choice.VALUE:
        body["value"] = _parsed(value)
    _show(call("POST", url, key, f"{CONFLICTS}/{ref}/resolve", json=body))


def _parsed(value: str | None) -> Any:
    if value is None:
        raise typer.BadParameter("say which: --value '\"Oslo\"', or --value null for none")
    try:
        return json.loads(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value} is not JSON; a text needs quotes: '\"{value}\"'") from error


@app.command("undo")
def undo(ref: Ref, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Open a resolved conflict again, and give every side back what it held."""
    body = {"agent": {"id": agent, "name": name}}
    _show(call("POST", url, key, f"{CONFLICTS}/{ref}/undo", json=body))


def _undone(decision: dict[str, Any]) -> str:
    chosen = f"{decision['choice']} by {decision['resolved_by']}, {decision['resolved_at'][:16]}"
    return f"{chosen}; undone by {decision['undone_by']}, {decision['undone_at'][:16]}"


def _show(item: dict[str, Any]) -> None:
    table = Table("", show_header=False)
    decided = f"{item['choice']} by {item['resolved_by'] or 'nobody'}" if item["resolved_at"] else "open"
    for name, text in (
        ("conflict", str(item["ref"])),
        ("of", _whose(item)),
        ("field", item["field"]),
        ("ours", _version(item["ours"])),
        ("theirs", _version(item["theirs"])),
        ("base", _json(item["base"])),
        ("state", decided),
        *(("undone", _undone(each)) for each in item["undone"]),
    ):
        table.add_row(name, escape(text))
    out.print(table)
