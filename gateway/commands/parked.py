"""The commands under `deskbridge parked`: what was set aside, over the HTTP API."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.json import JSON
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.commands.remote import HERE, Url, call
from gateway.commands.terminal import err, out
from sync.parking import Kind, Reason

app = typer.Typer(no_args_is_help=True, help="What was parked: look at it, replay it, drop it.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scope operate.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Such as event-123 or command-456.")]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Only events, or only commands.")]
OfConnection = Annotated[str | None, typer.Option("--connection", help="Only of this connection.")]
OfReason = Annotated[Reason | None, typer.Option("--reason", help="Only for this reason.")]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", help="Only what has been parked so long: 90s, 15m, 2h, 3d.")
]
Force = Annotated[bool, typer.Option("--force", help="Poison and overtaken ones, too.")]
Origin = Annotated[
    str,
    typer.Option(
        "--as", help="`replay`: an event is taken in, but nothing acts on it. `live`: as if it had just come."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
PARKED = "/v1/parked"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHOWN = 200


@app.callback()
def parked() -> None:
    """What was parked: look at it, replay it, drop it."""


@app.command("list")
def list_parked(
    key: ApiKey,
    *,
    url: Url = HERE,
    kind: OfKind = None,
    connection: OfConnection = None,
    reason: OfReason = None,
    older_than: OlderThan = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Show at most so many.")] = _SHOWN,
) -> None:
    """Show what is parked, the longest parked first."""
    table = Table("id", "connection", "what", "reason", "parked for", "replayed", "detail")
    more = False
    for item in _walk(url, key, _filter(kind, connection, reason, older_than)):
        if table.row_count == most:
            more = True
            break
        table.add_row(*_row(item))
    out.print(table if table.row_count else "nothing is parked")
    if more:
        err.print(f"there is more than {most}; narrow it down, or raise --most", highlight=False)


def _walk(url: str, key: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    path: str | None = PARKED
    params: dict[str, str] | None = {**query, "limit": str(_SHOWN)}
    while path:
        page = call("GET", url, key, path, params=params)
        yield from page["items"]
        path, params = page["next"], None


def _filter(
    kind: Kind | None, connection: str | None, reason: Reason | None, older_than: str | None
) -> dict[str, str]:
    found = {
        "kind": kind.value if kind else None,
        "connection": connection,
        "reason": reason.value if reason else None,
        "older_than": None if older_than is None else str(_seconds(older_than)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _seconds(written: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([smhd])", written)
    if found is None:
        raise typer.BadParameter(f"{written!r} is no duration: write 90s, 15m, 2h or 3d")
    return int(found[1]) * _UNITS[found[2]]


def _row(item: dict[str, Any]) -> list[str]:
    replayed = f"[bold red]{item['replays']} (poison)[/]" if item["poison"] else str(item["replays"])
    detail = (item["detail"].strip().splitlines() or [""])[-1]
    return [
        item["id"],
        escape(item["connection"]),
        escape(item["about"]),
        item["reason"],
        _age(item["parked_at"]),
        replayed,
        escape(detail[:80]),
    ]


def _age(since: str) -> str:
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()))
    unit = next((unit for unit in "dhm" if seconds >= _UNITS[unit]), "s")
    return f"{seconds // _UNITS[unit]}{unit}"


@app.command("show")
def show(item_id: Id, key: ApiKey, url: Url = HERE) -> None:
    """Show one with its body, what was tried, what was done about it, and what waits behind it."""
    found = call("GET", url, key, f"{PARKED}/{item_id}")
    item, behind = found["parked"], found["behind"]
    head = Table.grid(padding=(0, 2))
    head.add_row("what", escape(f"{item['about']} at {item['connection']}"))
    head.add_row("state", item["state"])
    head.add_row("reason", f"{item['reason']}: {escape(found['meaning'])}")
    head.add_row("cure", escape(found["cure"]))
    head.add_row("key", escape(found["key"]))
    head.add_row("conversation", str(item["conversation_ref"] or "unknown"))
    waits = f"{behind['waiting']} waiting, {behind['passed']} gone past"
    head.add_row("behind it", escape(", ".join([waits, *behind["next"]])))
    head.add_row("detail", escape(item["detail"]))
    out.print(Panel(Group(head), title=item["id"]))
    _history(found)
    if found["note"]:
        out.print(f"[dim]{escape(found['note'])}[/]", highlight=False)
    if isinstance(found["body"], str):
        out.print(found["body"], markup=False, highlight=False)
    elif found["body"] is not None:
        out.print(JSON.from_data(found["body"]))


def _history(found: dict[str, Any]) -> None:
    tries = [
        (a["ended_at"], f"attempt {a['number']}", f"{a['outcome']} {a['status'] or ''} {a['detail']}")
        for a in found["attempts"]
    ]
    for act in found["history"]:
        failed = act["failed_detail"].strip().splitlines() or [""]
        if not tries or found["parked"]["kind"] == Kind.EVENT:
            tries.append((act["failed_at"], "parked", f"{act['failed_as']}: {failed[-1]}"))
        asked = f" as {act['origin']}" if act["origin"] else ""
        tries.append((act["at"], f"{act['act']}{asked}", f"by {act['by']} {act['why']}"))
    if tries:
        table = Table("at", "what", "how")
        for at, what, how in sorted(tries):
            table.add_row(at[:19].replace("T", " "), what, escape(how))
        out.print(table)


@app.command("replay")
def replay(
    key: ApiKey,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Such as event-123.")] = None,
    *,
    url: Url = HERE,
    kind: OfKind = None,
    connection: OfConnection = None,
    reason: OfReason = None,
    older_than: OlderThan = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever is parked.")] = False,
    dry_run: DryRun = False,
    origin: Origin = "replay",
    force: Force = False,
    per_second: Annotated[
        float, typer.Option(min=0.1, max=100, help="How many commands are sent in a second.")
    ] = 5.0,
    why: Annotated[str, typer.Option("--why", help="Kept with it.")] = "",
) -> None:
    """Let what is parked be tried again: the ones named, or all that fit a filter."""
    how = {"as": origin, "force": force, "why": why}
    query = _filter(kind, connection, reason, older_than)
    if ids:
        for one in ids:
            _replay_one(url, key, one, how, dry_run=dry_run)
    elif query or everything:
        _replay_many(url, key, query, {**how, "per_second": per_second}, dry_run=dry_run)
    else:
        raise typer.BadParameter("name ids, or a filter such as --reason gave_up, or --all")


def _replay_one(url: str, key: str, one: str, how: dict[str, Any], *, dry_run: bool) -> None:
    done = call(
        "POST", url, key, f"{PARKED}/{one}/replay", json=how, params={"dry_run": str(dry_run).lower()}
    )
    rehearsal = done["rehearsal"]
    if rehearsal is None:
        out.print(f"{one} is {done['parked']['state']}", highlight=False)
        return
    out.print(f"[bold]{one}[/] would {escape(rehearsal['would'])}", highlight=False)
    for objection in rehearsal["objections"]:
        out.print(f"  [yellow]but:[/] {escape(objection)}", highlight=False)
    for effect in rehearsal["effects"]:
        detail = ", ".join(f"{name}={value}" for name, value in effect["detail"].items())
        out.print(f"  {effect['what']} [dim]{escape(effect['at'])}[/] {escape(detail)}", highlight=False)


def _replay_many(url: str, key: str, query: dict[str, str], how: dict[str, Any], *, dry_run: bool) -> None:
    total = sum(1 for _ in _walk(url, key, query))
    asked: dict[str, Any] = {**query, **how}
    if "older_than" in asked:
        asked["older_than"] = int(asked["older_than"])
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    replayed: set[str] = set()
    left_out: list[dict[str, str]] = []
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("would replay" if dry_run else "replaying", total=total)
        while True:
            done = call(
                "POST", url, key, f"{PARKED}/replay", json=asked, params={"dry_run": str(dry_run).lower()}
            )
            replayed.update(done["replayed"])
            left_out += done["left_out"]
            progress.advance(task, len(done["replayed"]) + len(done["left_out"]))
            sending = sum(one.startswith(Kind.COMMAND.value) for one in done["replayed"])
            if done["next"] is None:
                break
            if not dry_run:
                # The next batch starts when this one has been sent.
                time.sleep(sending / how["per_second"])
            asked["cursor"] = done["next"]
    for one in left_out:
        out.print(f"left out {one['id']}: {escape(one['why'])}", highlight=False)
    verb = "would be replayed" if dry_run else "replayed"
    out.print(f"{len(replayed)} {verb}, {len(left_out)} left out", highlight=False)


@app.command("drop")
def drop(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Such as event-123.")],
    key: ApiKey,
    why: Annotated[str, typer.Option("--why", help="Kept with it, and told on the timeline.")],
    url: Url = HERE,
) -> None:
    """Give some up for good."""
    for one in ids:
        done = call("POST", url, key, f"{PARKED}/{one}/drop", json={"why": why})
        out.print(f"{one} is {done['parked']['state']}", highlight=False)
