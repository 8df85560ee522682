"""How soon a customer reads the answer, at a steady rate of questions."""

import asyncio
import tempfile
from pathlib import Path
from statistics import quantiles

import rich
import uvloop

from adapters.vendors.memory.server import MemoryHelpdesk
from config.clock import utc_now
from config.database import open_engine
from config.settings import PACKAGED
from gateway import server
from gateway.migrate import upgrade
from knowledge.importing import import_path
from tests.benchmarks.pipeline import QUESTIONS
from tests.benchmarks.processes import SECRET, TOKEN, configuration, free_port, postgres, process

PER_SECOND = 20
SECONDS = 20
WARM_UP = 40


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
    replies = [m for m in helpdesk.messages if m.conversation_id in asked and m.author == "bot"]
    if len({reply.conversation_id for reply in replies}) != len(replies):
        raise RuntimeError("somebody was answered twice")
    return [reply.created_at.timestamp() - asked[reply.conversation_id] for reply in replies]


async def converse(helpdesk_port: int, port: int, rates: list[float]) -> list[list[float]]:
    """Warm up, then ask at each rate."""
    helpdesk = MemoryHelpdesk(
        token=TOKEN, webhook_url=f"http://127.0.0.1:{port}/hooks/shop", webhook_secret=SECRET
    )
    async with server.serving(helpdesk, server.bind("127.0.0.1", helpdesk_port)):
        await ask(helpdesk, per_second=PER_SECOND, seconds=WARM_UP / PER_SECOND)
        return [await ask(helpdesk, per_second=rate, seconds=SECONDS) for rate in rates]


def percentiles(waits: list[float]) -> tuple[float, float, float]:
    """The median, the 95th and the 99th percentile, in milliseconds."""
    cuts = quantiles(waits, n=100)
    return tuple(round(cuts[index] * 1000, 1) for index in (49, 94, 98))  # type: ignore[return-value]


def measure(rates: tuple[float, ...] = (PER_SECOND,)) -> list[tuple[float, float, float]]:
    """A gateway with its worker inside, quiet time 0: the wait that a policy asks for is not ours."""
    with postgres() as database, tempfile.TemporaryDirectory() as folder:
        url = database.url()
        uvloop.run(prepare(url))
        port, helpdesk_port = free_port(), free_port()
        path = configuration(Path(folder), database_url=url, helpdesk_port=helpdesk_port, turns={"quiet": 0})
        with process("-m", "gateway", "serve", "--port", str(port), "--config", str(path), port=port):
            return [percentiles(w) for w in uvloop.run(converse(helpdesk_port, port, list(rates)))]


if __name__ == "__main__":
    rich.print(dict(zip(("reply_p50_ms", "reply_p95_ms", "reply_p99_ms"), measure()[0], strict=True)))
