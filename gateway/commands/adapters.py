"""The commands under `deskbridge adapters`: what is installed, what it can do, and making one."""

import asyncio
from collections import Counter
from contextlib import aclosing, suppress
from pathlib import Path
from socket import socket
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from adapters import registry
from adapters.contract import Adapter
from adapters.testing.checking import TIERS
from adapters.testing.running import Ending, Report
from config.settings import ConfigError, load_settings
from gateway.authoring import matrix as tables
from gateway.authoring.asking import Asked, ask
from gateway.authoring.recording import Listener, Recorder, credential_parameters
from gateway.authoring.redaction import Redactor
from gateway.authoring.scaffold import Answers, Auth, Signing, make, require_free
from gateway.commands.common import ConfigOption, run
from gateway.commands.terminal import out

app = typer.Typer(no_args_is_help=True, help="Adapters: what is installed, what it can do, making one.")

Connection = Annotated[str, typer.Argument(help="A connection's name in the settings.")]


@app.callback()
def adapters() -> None:
    """Adapters: what is installed, what it can do, making one."""


@app.command("list")
def list_() -> None:
    """Show every installed adapter, where it comes from, and what is wrong with a broken one."""
    shown = Table("adapter", "vendor", "tier claimed", "from", "state")
    for each in tables.entries():
        tier = each.manifest.tier.value if each.manifest and not each.made else ""
        state = escape(each.broken) if each.broken else "ok"
        shown.add_row(each.name, escape(each.title), tier, each.source, state)
    out.print(shown)


@app.command("matrix")
def matrix() -> None:
    """Show what each installed adapter can do, and which channels it tells apart."""
    every = tables.entries()
    for head, rows in (tables.table(every), tables.channels(every)):
        shown = Table(*head)
        for row in rows:
            shown.add_row(*row)
        out.print(shown)
    out.print("● the vendor tells of it  ○ a setting of the connection says it")
    for each in every:
        if each.broken:
            out.print(f"{each.name}: broken: {escape(each.broken)}", soft_wrap=True)


@app.command("test")
def examine(
    name: Annotated[str, typer.Argument(help="An installed adapter's name, or a description (.yaml).")],
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what passed, too.")] = False,
) -> None:
    """Run the conformance kit on an adapter's fixtures; 1 unless it earns the tier that it claims."""
    report = tables.examine(name)
    _show(report, verbose=verbose)
    _tell(f"{name} claims {report.claimed}, earns {tables.tier_of(report)}")
    if not report.holds:
        raise typer.Exit(1)


def _show(report: Report, *, verbose: bool) -> None:
    for each in report.results:
        place = f"{each.check}\\[{each.file}]" if each.file else each.check
        if each.ending is Ending.FAILED:
            is_claimed = TIERS.index(each.tier) <= TIERS.index(report.claimed)
            word = "[red]failed[/]" if is_claimed else "[yellow]open[/]"
            _tell(f"{word} {each.tier} {place}: {escape(each.detail)}")
        elif verbose:
            _tell(f"{each.ending} {each.tier} {place}{f': {escape(each.detail)}' if each.detail else ''}")
    for tier in TIERS:
        counted = Counter(each.ending for each in report.results if each.tier is tier)
        _tell(f"{tier}: {', '.join(f'{counted[ending]} {ending}' for ending in Ending if counted[ending])}")


def _tell(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)


def _free_name(name: str) -> str:
    """Before anything is asked."""
    require_free(name)
    return name


@app.command("new")
def new(
    name: Annotated[
        str, typer.Argument(help="Its name in settings: small letters, digits and _.", callback=_free_name)
    ],
    *,
    title: Annotated[str, typer.Option(prompt="What is the vendor called?", help="What people call it.")],
    base_url: Annotated[str, typer.Option(prompt="Where is its API?", help="Where its API is.")],
    auth: Annotated[
        Auth, typer.Option(prompt="How do we show who we are?", help="How we show who we are.")
    ] = Auth.BEARER,
    signing: Annotated[
        Signing,
        typer.Option(
            prompt="How does it sign webhooks? (hmac, a shared secret, or none)",
            help="How it shows that a webhook is its own.",
        ),
    ] = Signing.HMAC,
    into: Annotated[Path, typer.Option(help="The folder to make it in.")] = Path(),
) -> None:
    """Make a new adapter's folder, a distribution of its own whose tests pass at once."""
    answers = Answers(name=name, title=title, base_url=base_url, auth=auth, signing=signing)
    folder = make(answers, into)
    out.print(f"made {folder}/", highlight=False)
    out.print(
        f"next: pip install --no-deps --no-build-isolation -e {folder}", highlight=False, soft_wrap=True
    )
    out.print(f"then: deskbridge adapters test {name}", highlight=False)


@app.command("check")
def check(connection: Connection, config: ConfigOption = None) -> None:
    """Ask the vendor whose credentials these are, and for pages of each listing; nothing is changed."""
    run(_check(connection, config))


async def _check(name: str, config: Path | None) -> None:
    async with aclosing(_open(name, config)) as adapter:
        asked = await ask(adapter)
    _tell_asked(asked)
    _leave_if_wrong(asked)


def _tell_asked(asked: list[Asked]) -> None:
    for each in asked:
        _tell(escape(str(each)))


def _leave_if_wrong(asked: list[Asked]) -> None:
    if any(each.problem for each in asked):
        raise typer.Exit(1)


@app.command("record")
def record(
    connection: Connection,
    config: ConfigOption = None,
    *,
    into: Annotated[Path, typer.Option(help="Where to write: the adapter's own folder `fixtures`.")] = Path(
        "fixtures"
    ),
    listen: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Also keep the webhooks that come in at this port, until Ctrl-C."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Stop after so many webhooks.")] = 100,
) -> None:
    """Write what the vendor answers, and its webhooks, as fixtures without people and secrets.

    Read them before you share them: no rule knows every vendor.
    """
    with suppress(KeyboardInterrupt):
        run(_record(connection, config, into, listen, most))


async def _record(name: str, config: Path | None, into: Path, listen: int | None, most: int) -> None:
    bound = _bound(listen) if listen is not None else None
    recorder = Recorder(registry.open_transport())
    async with aclosing(_open(name, config, recorder)) as adapter:
        redactor = Redactor(adapter.settings.every_secret)
        own = credential_parameters(adapter)
        asked = await ask(adapter)
        _tell_asked(asked)
        try:
            written = recorder.write(into / "answers", redactor, own=own)
            if bound is not None:
                with suppress(asyncio.CancelledError):  # Ctrl-C
                    await _listen(Listener(adapter, into, redactor), bound, most)
                recorder.start_over()
                asked = await ask(adapter)  # again: of what the webhooks told, the answers tell, too
                written = recorder.write(into / "answers", redactor, own=own)
        except OSError as error:
            raise ConfigError(f"{error.filename or into}: can't be written ({error.strerror})") from error
    for path in written:
        _tell(f"wrote {path}")
    _leave_if_wrong(asked)


def _bound(port: int) -> socket:
    from gateway import server  # noqa: PLC0415 - only who listens needs a server

    try:
        return server.bind("127.0.0.1", port)
    except OSError as error:
        told = f"port {port} can't be had ({error.strerror}); name another with --listen"
        raise ConfigError(told) from error


async def _listen(listener: Listener, bound: socket, most: int) -> None:
    from gateway import server  # noqa: PLC0415 - only who listens needs a server

    async with server.serving(listener, bound):
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        _tell(f"send webhooks to {address} (Ctrl-C ends)")
        told = 0
        while told < most:
            for line in listener.told[told:]:
                _tell(escape(line))
                told += 1
            await asyncio.sleep(0.1)


def _open(name: str, config: Path | None, transport: Recorder | None = None) -> Adapter:
    chosen = load_settings(config).connections.get(name)
    if chosen is None:
        known = ", ".join(load_settings(config).connections) or "none"
        raise ConfigError(f"no connection is called {name!r}; the settings name: {known}")
    return registry.build(chosen.adapter, chosen.settings, connection=name, transport=transport)
