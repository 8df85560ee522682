"""The commands under `deskbridge desk`: the built-in desk over its HTTP API."""

import mimetypes
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from gateway.commands.remote import HERE, Url, call, download
from gateway.commands.terminal import out

app = typer.Typer(no_args_is_help=True, help="The built-in desk: take over, answer, hand back.")

ApiKey = Annotated[
    str, typer.Option("--key", envvar="DESKBRIDGE_API_KEY", help="An API key with the scope desk.")
]
Agent = Annotated[str, typer.Option("--agent", envvar="DESKBRIDGE_AGENT", help="Who you are at the desk.")]
Name = Annotated[
    str, typer.Option("--name", envvar="DESKBRIDGE_AGENT_NAME", help="The name that customers see.")
]
Ref = Annotated[int, typer.Argument(help="The hand-off's ref.")]
UPLOAD_LIMIT = 120.0
_STYLES = {"urgent": "bold red", "high": "red", "offered": "yellow", "claimed": "cyan"}


@app.callback()
def desk() -> None:
    """The built-in desk: take over, answer, hand back."""


@app.command("list")
def list_hand_offs(
    key: ApiKey,
    url: Url = HERE,
    state: Annotated[
        str,
        typer.Option(
            help="open, offered, claimed, resolved, returned, taken, expired, passed_on, deleted, all."
        ),
    ] = "open",
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
) -> None:
    """Show who waits for a person."""
    path = "/v1/desk/hand-offs"
    query: dict[str, str] | None = {"state": state} | ({"queue": queue} if queue else {})
    table = Table("ref", "state", "queue", "priority", "customer", "wants", "rule", "waits", "agent")
    while path:
        page = call("GET", url, key, path, params=query)
        for item in page["items"]:
            table.add_row(*_row(item))
        path, query = page["next"], None
    out.print(table if table.row_count else "nobody waits")


def _row(item: dict[str, Any]) -> list[str]:
    agent = item["agent"]["name"] if item["agent"] else ""
    return [
        str(item["ref"]),
        _styled(item["state"]),
        escape(item["queue"]),
        _styled(item["priority"]),
        escape(item["customer_name"]),
        escape(item["goal"]),
        escape(item["rule"]),
        _waited(item),
        escape(agent),
    ]


def _styled(word: str) -> str:
    style = _STYLES.get(word)
    return f"[{style}]{escape(word)}[/]" if style else escape(word)


def _waited(item: dict[str, Any]) -> str:
    end = datetime.fromisoformat(item["claimed_at"] or item["ended_at"] or datetime.now(UTC).isoformat())
    seconds = int((end - datetime.fromisoformat(item["offered_at"])).total_seconds())
    minutes, rest = divmod(max(0, seconds), 60)
    return f"{minutes}m{rest:02d}s"


@app.command("show")
def show(ref: Ref, key: ApiKey, url: Url = HERE) -> None:
    """Show a hand-off with everything that was said and tried, and which files came with it."""
    path = f"/v1/desk/hand-offs/{ref}"
    _show(call("GET", url, key, path))
    _show_talk(call("GET", url, key, f"{path}/messages")["messages"])


@app.command("save")
def save(
    message: Annotated[int, typer.Argument(help="The message's ref, as `show` tells it.")],
    number: Annotated[int, typer.Argument(help="The file's place in it, from 1.")],
    to: Annotated[Path, typer.Option("--to", help="Where to; nothing that is there is overwritten.")],
    key: ApiKey,
    url: Url = HERE,
) -> None:
    """Save a file that came with a message. Look at it before you open it: it is a stranger's."""
    size = download(url, key, f"/v1/messages/{message}/attachments/{number}", to)
    out.print(f"{escape(str(to))}: {size} bytes", highlight=False)


@app.command("claim")
def claim(ref: Ref, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Take it: from now on you speak."""
    _act(url, key, ref, "claim", agent=agent, name=name)


@app.command("reply")
def reply(
    ref: Ref,
    text: Annotated[str, typer.Argument(help="What to tell the customer.")],
    key: ApiKey,
    agent: Agent,
    *,
    url: Url = HERE,
    name: Name = "",
    file: Annotated[
        list[Path] | None, typer.Option("--file", exists=True, dir_okay=False, help="A file to send along.")
    ] = None,
) -> None:
    """Tell the customer something, under your name, perhaps with files."""
    laid_down = [_lay_down(url, key, ref, each) for each in file or ()]
    _act(url, key, ref, "reply", agent=agent, name=name, say={"text": text, "files": laid_down})


def _lay_down(url: str, key: str, ref: int, path: Path) -> int:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with path.open("rb") as content:
        kept = call(
            "POST",
            url,
            key,
            f"/v1/desk/hand-offs/{ref}/files",
            params={"name": path.name},
            content=content,
            headers={"Content-Type": kind, "Content-Length": str(path.stat().st_size)},
            timeout=UPLOAD_LIMIT,
        )
    return int(kept["ref"])


@app.command("resolve")
def resolve(ref: Ref, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Close the conversation."""
    _act(url, key, ref, "resolve", agent=agent, name=name)


@app.command("return")
def give_back(ref: Ref, key: ApiKey, agent: Agent, url: Url = HERE, name: Name = "") -> None:
    """Give it back to the AI."""
    _act(url, key, ref, "return", agent=agent, name=name)


def _act(
    url: str, key: str, ref: int, action: str, *, agent: str, name: str, say: dict[str, Any] | None = None
) -> None:
    body: dict[str, Any] = {"agent": {"id": agent, "name": name}} | (say or {})
    done = call("POST", url, key, f"/v1/desk/hand-offs/{ref}/{action}", json=body)
    out.print(f"hand-off {ref} is {_styled(done['state'])}", highlight=False)


def _show(item: dict[str, Any]) -> None:
    package = item["package"]
    customer = package["customer"]
    title = f"{item['ref']} · {item['queue']} · {item['priority']} · {item['state']}"
    head = Table.grid(padding=(0, 2))
    head.add_row("customer", escape(customer["name"]))
    head.add_row("wants", escape(package["goal"]))
    head.add_row("where", escape(f"{package['channel']} · {package['language']}"))
    head.add_row("why", escape(item["rule"]))
    head.add_row("timeline", escape(package["links"]["timeline"]))
    out.print(Panel(Group(head), title=escape(title)))
    for tried in package["tried"]:
        because = ", ".join(f"{b['signal']} “{b['evidence']}”" for b in tried["because"])
        out.print(f"[dim]turn {tried['turn']}: {tried['verdict']}[/] {escape(because)}", highlight=False)


def _show_talk(messages: list[dict[str, Any]]) -> None:
    for line in messages:
        said = escape(f"{line['author']}: {line['text']}")
        out.print(f"[dim]{said}[/]" if line["private"] else said, highlight=False)
        for each in line["attachments"]:
            size = "" if each["size"] is None else f", {each['size']} bytes"
            hint = f" · save {line['ref']} {each['number']}" if each["openable"] else ""
            told = escape(f"  file: {each['name']} ({each['content_type']}{size}){hint}")
            out.print(told, highlight=False)
