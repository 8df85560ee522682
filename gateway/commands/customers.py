"""The commands under `deskbridge customers`: who is who, over the HTTP API."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.desk import Agent, Name
from gateway.commands.remote import HERE, Url, call
from gateway.commands.terminal import out
from sync.identity import State

app = typer.Typer(no_args_is_help=True, help="Customers: which of them are one person.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scopes read and desk.")
]
Customer = Annotated[int, typer.Argument(help="The customer's ref.")]
MergeRef = Annotated[int, typer.Argument(metavar="MERGE", help="The merge's ref: see `merges`.")]
MERGES = "/v1/customers/merges"


@app.callback()
def customers() -> None:
    """Customers: which of them are one person."""


@app.command("show")
def show(ref: Customer, key: ApiKey, url: Url = HERE) -> None:
    """Show a customer with all addresses, and why they count as one."""
    found = call("GET", url, key, f"/v1/customers/{ref}")
    customer = found["customer"]
    refs = ", ".join(str(each) for each in customer["refs"])
    out.print(
        f"[bold]{escape(customer['name'] or '(no name)')}[/] · {customer['ref']} (of {refs})", highlight=False
    )
    table = Table("connection", "kind", "value", "compared as", "verified")
    for item in customer["identities"]:
        row = (item["connection"], item["kind"], item["value"], item["normal"] or "")
        table.add_row(*map(escape, row), "yes" if item["verified"] else "")
    out.print(table)
    _print(found["merges"])


@app.command("merges")
def list_merges(
    key: ApiKey,
    url: Url = HERE,
    state: Annotated[State, typer.Option(help="Which ones.")] = State.SUGGESTED,
) -> None:
    """Show suggested merges, or those that were made, undone or dismissed."""
    path: str | None = MERGES
    query: dict[str, str] | None = {"state": state.value}
    items: list[dict[str, Any]] = []
    while path:
        page = call("GET", url, key, path, params=query)
        items += page["items"]
        path, query = page["next"], None
    _print(items)
    if not items:
        out.print(f"nothing is {state.value}")


def _print(items: list[dict[str, Any]]) -> None:
    if not items:
        return
    table = Table("merge", "state", "kept", "gone", "by", "evidence", "at")
    for item in items:
        by = item["person"]["name"] if item["person"] else item["rule"]
        evidence = ", ".join(f"{each['kind']} {each['value']}" for each in item["evidence"])
        kept, gone = (f"{item[f'{side}_record']} {item[f'{side}_name']}" for side in ("kept", "gone"))
        row = (str(item["ref"]), item["state"], kept, gone, by, evidence, item["at"][:16])
        table.add_row(*map(escape, row))
    out.print(table)


@app.command("merge")
def merge(
    kept: Customer,
    gone: Annotated[int, typer.Argument(help="The ref of the customer who is the same person.")],
    key: ApiKey,
    agent: Agent,
    *,
    url: Url = HERE,
    name: Name = "",
) -> None:
    """Make one customer of two; `unmerge` undoes it."""
    body = {"gone": gone, "agent": {"id": agent, "name": name}}
    _say(call("POST", url, key, f"/v1/customers/{kept}/merge", json=body))


@app.command("unmerge")
def unmerge(ref: MergeRef, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Tell two customers apart again."""
    _act(url, key, ref, "undo", agent, name)


@app.command("accept")
def accept(ref: MergeRef, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Do what was suggested."""
    _act(url, key, ref, "accept", agent, name)


@app.command("dismiss")
def dismiss(ref: MergeRef, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """They are two people: never suggest it again."""
    _act(url, key, ref, "dismiss", agent, name)


@app.command("relink")
def relink(
    config: ConfigOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who would be linked.")] = False,
) -> None:
    """Compare all stored addresses anew, after the settings on identity have changed; unlinks nobody."""
    from gateway.commands.relinking import relink_all  # noqa: PLC0415 - the others need no engine

    run(relink_all(settings_from(config), dry_run=dry_run))


def _act(url: str, key: str, ref: int, action: str, *who: str) -> None:
    agent, name = who
    body = {"agent": {"id": agent, "name": name}}
    _say(call("POST", url, key, f"{MERGES}/{ref}/{action}", json=body))


def _say(done: dict[str, Any]) -> None:
    out.print(
        f"merge {done['ref']} of {done['kept_ref']} and {done['gone_ref']} is {done['state']}",
        highlight=False,
    )
