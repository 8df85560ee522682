"""How soon a customer reads the answer, at a steady rate of questions."""

import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import quantiles

import rich
import uvloop

from adapters.vendors.memory.records import Message
from adapters.vendors.memory.server import MemoryHelpdesk
from config.clock import utc_now
from config.database import open_engine
from config.settings import PACKAGED
from gateway import server
from gateway.migrate import upgrade
from knowledge.importing import import_path
from tests.benchmarks.pipeline import QUESTIONS
from tests.benchmarks.processes import SECRET, TOKEN, configuration, free_port, postgres, process

RATES = (17, 170)
"""A thousand questions a minute, and ten thousand."""
SECONDS = 20
WARM_UP = 40
WARM_UP_RATE = 20


async def prepare(url: str) -> None:
    """A migrated database that holds the demo shop's knowledge."""
    await upgrade(url)
    engine = open_engine(url, name="bench")
    async with engine.begin() as connection:
        await import_path(connection, PACKAGED / "knowledge", now=utc_now())
    await engine.dispose()


async def ask(helpdesk: MemoryHelpdesk, *, per_second: float, seconds: float) -> list[float]:
    """Ask at a steady rate; the seconds from each question to its answer at the helpdesk.

    Both ends are the helpdesk's own clock, so the webhook's way here and the reply's way back are in it.
    """
    asked: dict[str, float] = {}
    count = int(per_second * seconds)
    start = asyncio.get_running_loop().time()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / per_second - asyncio.get_running_loop().time()))
        said = helpdesk.customer_says(f"cus_{start}_{number}", QUESTIONS[number % len(QUESTIONS)], name="Ann")
        asked[said.conversation_id] = said.created_at.timestamp()
    for _ in range(300):
        waits = answered(helpdesk, asked)
        if len(waits) == count:
            return waits
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{count - len(waits)} of {count} questions were never answered")


def answered(helpdesk: MemoryHelpdesk, asked: dict[str, float]) -> list[float]:
    """The waits so far; raises when anyone was answered twice."""
    first: dict[str, Message] = {}
    for said in helpdesk.messages:
        if said.conversation_id in asked and said.author == "bot" and not said.private:
            before = first.setdefault(said.conversation_id, said)
            # Who waits too long is told that a person will come: that is no second answer.
            if before is not said and before.text == said.text:
                raise RuntimeError(f"somebody was told twice: {said.text!r}")
    return [reply.created_at.timestamp() - asked[where] for where, reply in first.items()]


async def converse(
    helpdesk_port: int, port: int, rates: list[float], *, seconds: float = SECONDS
) -> list[list[float]]:
    """Warm up, then ask at each rate."""
    helpdesk = MemoryHelpdesk(
        token=TOKEN, webhook_url=f"http://127.0.0.1:{port}/hooks/shop", webhook_secret=SECRET
    )
    async with server.serving(helpdesk, server.bind("127.0.0.1", helpdesk_port)):
        await ask(helpdesk, per_second=WARM_UP_RATE, seconds=WARM_UP / WARM_UP_RATE)
        return [await ask(helpdesk, per_second=rate, seconds=seconds) for rate in rates]


def percentiles(waits: list[float]) -> tuple[float, float, float]:
    """The median, the 95th and the 99th percentile, in milliseconds."""
    cuts = quantiles(waits, n=100)
    return tuple(round(cuts[index] * 1000, 1) for index in (49, 94, 98))  # type: ignore[return-value]


def measure(rates: tuple[float, ...] = RATES) -> dict[str, float]:
    """A gateway with its worker inside, quiet time 0: the wait that a policy asks for is not ours."""
    with postgres() as database, tempfile.TemporaryDirectory() as folder:
        url = database.url()
        uvloop.run(prepare(url))
        port, helpdesk_port = free_port(), free_port()
        path = configuration(Path(folder), database_url=url, helpdesk_port=helpdesk_port, turns={"quiet": 0})
        with process("-m", "gateway", "serve", "--port", str(port), "--config", str(path), port=port):
            waits = uvloop.run(converse(helpdesk_port, port, list(rates)))
    return {
        f"reply_{name}_ms_{rate:g}": value
        for rate, spread in zip(rates, waits, strict=True)
        for name, value in zip(("p50", "p95", "p99"), percentiles(spread), strict=True)
    }


if __name__ == "__main__":
    rich.print(measure(tuple(map(float, sys.argv[1:])) or RATES))
