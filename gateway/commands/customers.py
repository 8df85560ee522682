"""The commands under `deskbridge customers`: who is who, over the HTTP API."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from config.clock import utc_now
from config.settings import Settings
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.desk import Agent, Name
from gateway.commands.remote import HERE, Url, call
from gateway.commands.terminal import err, out
from gateway.database import open_database
from gateway.house import new_key
from gateway.relinking import Relinked, Relinking
from sync.identity import State

app = typer.Typer(no_args_is_help=True, help="Customers: which of them are one person.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scopes read and desk.")
]
Customer = Annotated[int, typer.Argument(help="The customer's ref.")]
MergeRef = Annotated[int, typer.Argument(metavar="MERGE", help="The merge's ref: see `merges`.")]
MERGES = "/v1/customers/merges"
LINE_EVERY = 5.0


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
    run(_relink(settings_from(config), dry_run=dry_run))


async def _relink(settings: Settings, *, dry_run: bool) -> None:
    with _counting() as show:
        async with open_database(settings) as engine:
            walk = Relinking(engine, settings, clock=utc_now, new_key=new_key)
            done = await walk.run(show, rehearsal=dry_run)
    by_rule = ", ".join(f"{number:,} by {rule}" for rule, number in sorted(done.linked.items())) or "nobody"
    would = "would be linked" if dry_run else "linked"
    out.print(f"{done.looked_at:,} customers compared; {would}: {by_rule}", highlight=False)
    if done.suggested:
        out.print(
            f"{len(done.suggested):,} pairs are for a person to decide: deskbridge customers merges",
            highlight=False,
        )


@contextmanager
def _counting() -> Iterator[Callable[[Relinked], None]]:
    """A bar with the time left; a line now and then, where nobody looks."""
    if not err.is_terminal:
        yield Spoken().show
        return
    columns = (TextColumn("customers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("customers", total=None)
        yield lambda done: progress.update(task, completed=done.looked_at, total=done.total)


class Spoken:
    """Says in plain lines how far it is: for logs."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, done: Relinked) -> None:
        """One line now and then."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            err.print(f"{done.looked_at:,} of {done.total:,} customers", highlight=False)


def _act(url: str, key: str, ref: int, action: str, *who: str) -> None:
    agent, name = who
    body = {"agent": {"id": agent, "name": name}}
    _say(call("POST", url, key, f"{MERGES}/{ref}/{action}", json=body))


def _say(done: dict[str, Any]) -> None:
    out.print(
        f"merge {done['ref']} of {done['kept_ref']} and {done['gone_ref']} is {done['state']}",
        highlight=False,
    )
