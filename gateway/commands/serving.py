"""The commands `deskbridge serve` and `deskbridge worker`."""

import asyncio
from typing import Annotated

import typer

from config.settings import Settings
from gateway.app import create_app
from gateway.commands.common import ConfigOption, run, settings_from, settle_memory
from gateway.commands.terminal import out
from gateway.house import open_house
from gateway.server import serve as serve_http
from gateway.server import until_signalled


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    *,
    worker: Annotated[bool, typer.Option(help="Work lanes in this process too.")] = True,
) -> None:
    """Serve webhooks, API and console; with a worker inside unless told otherwise."""
    settings = settings_from(config)

    def ready(bound: int) -> None:
        settle_memory()
        out.print(f"listening on http://{host or settings.host}:{bound}", highlight=False)

    run(
        serve_http(
            create_app(settings, with_worker=worker),
            host=host or settings.host,
            port=settings.port if port is None else port,
            ready=ready,
        )
    )


def worker(config: ConfigOption = None) -> None:
    """Work lanes and dispatch commands; start as many as you like, here or elsewhere."""
    run(work(settings_from(config)))


async def work(settings: Settings) -> None:
    """Work until the process is asked to stop."""
    async with open_house(settings) as house:
        worker = house.worker()
        stop = asyncio.create_task(until_signalled())
        await worker.start()
        settle_memory()
        out.print("working", highlight=False)
        await stop
        await worker.stop()
