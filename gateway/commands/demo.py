"""The command `deskbridge demo`."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from config.logging import configure_logging
from gateway.commands.common import run
from gateway.demo.access import desk_key, invite
from gateway.demo.acting import Actor
from gateway.demo.ground import fresh_ground
from gateway.demo.play import Customer, load_play
from gateway.demo.report import Report
from gateway.demo.running import perform
from gateway.demo.showing import progress, show_report
from gateway.demo.theatre import Theatre, open_theatre
from gateway.server import until_signalled

LOG = "gateway.log"


def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="End after the report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON to stdout.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Where the demo lives; cleared at the start.")] = Path(
        ".deskbridge/demo"
    ),
    port: Annotated[int, typer.Option(help="The gateway's port; 0 takes a free one.")] = 0,
) -> None:
    """Serve a made-up shop's customers, show what happened, and stay for you to look around."""
    run(_demo(leave=leave, as_json=as_json, data_dir=data_dir, port=port))


async def _demo(*, leave: bool, as_json: bool, data_dir: Path, port: int) -> None:
    console = Console(stderr=as_json)
    customers = load_play()
    with fresh_ground(data_dir) as directory, (directory / LOG).open("wb") as log:
        configure_logging(to=log)
        async with AsyncExitStack() as stack:
            with console.status("starting PostgreSQL, the helpdesk and the gateway"):
                theatre = await stack.enter_async_context(open_theatre(directory, port=port))
            report = await _perform(theatre, customers, console)
            if as_json:
                sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
            show_report(console, report)
            if not leave:
                await _stay(theatre, directory / LOG, console)
    if report.failures:
        raise typer.Exit(1)


async def _perform(theatre: Theatre, customers: tuple[Customer, ...], console: Console) -> Report:
    console.print(f"gateway {theatre.url} · {theatre.knowledge.added} articles imported", highlight=False)
    with progress(console) as bar:
        task = bar.add_task("customers", total=len(customers))

        def told(customer: Customer, actor: Actor) -> None:
            mark = "[green]✓[/]" if all(check.met for check in actor.checks) else "[red]✗[/]"
            bar.console.print(
                f"{mark} {customer.name} [dim]{customer.channel}[/] {customer.about}", highlight=False
            )
            bar.advance(task)

        return await perform(theatre, customers, api_key=await desk_key(theatre), told=told)


async def _stay(theatre: Theatre, log: Path, console: Console) -> None:
    invitation = await invite(theatre)
    rows = {
        "Read every conversation": invitation.address,
        "The link works once; later": f"{theatre.url}/console with the key {invitation.key}",
        "What the gateway logged": log,
        "Stop": "Ctrl-C",
    }
    console.print()
    for name, value in rows.items():
        console.print(f"{name:<28}{value}", highlight=False, soft_wrap=True)
    await until_signalled()
