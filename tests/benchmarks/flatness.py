"""Whether a full database is as quick as an empty one: throughput and waits beside ever more history."""

import itertools
import sys
import tempfile
from pathlib import Path

import rich
import uvloop

from config.clock import utc_now
from config.database import open_engine
from tests.benchmarks import history, pipeline, replies
from tests.benchmarks.processes import configuration, free_port, postgres, process

SIZES = (10_000, 100_000, 1_000_000)
RATE, SECONDS = 17.0, 15.0


async def grow(url: str, before: int, after: int, room: int) -> None:
    """More history."""
    engine = open_engine(url, name="bench")
    await history.grow(engine, before=before, after=after, room=room)
    await engine.dispose()


def at(url: str, folder: Path) -> tuple[float, float]:
    """Events worked per second, and the 99th percentile of the waits for a reply in milliseconds."""
    began = utc_now()
    uvloop.run(pipeline.fill(url))
    lanes = configuration(folder, database_url=url, helpdesk_port=free_port(), turns={"quiet": 3600})
    with process("-m", "gateway", "worker", "--config", str(lanes)):
        rate = uvloop.run(pipeline.rate(url, since=began))
    uvloop.run(pipeline.make_past(url))
    port, helpdesk_port = free_port(), free_port()
    path = configuration(folder, database_url=url, helpdesk_port=helpdesk_port, turns={"quiet": 0})
    with process("-m", "gateway", "serve", "--port", str(port), "--config", str(path), port=port):
        (waits,) = uvloop.run(replies.converse(helpdesk_port, port, [RATE], seconds=SECONDS))
    uvloop.run(pipeline.make_past(url))
    return rate, replies.percentiles(waits)[2]


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    """At each size; `flatness_1m` is the slowest throughput over the fastest."""
    results: dict[str, float] = {}
    with postgres() as database, tempfile.TemporaryDirectory() as folder:
        url = database.url()
        uvloop.run(replies.prepare(url))
        for before, size in itertools.pairwise((0, *sizes)):
            uvloop.run(grow(url, before, size, max(sizes)))
            rate, wait = at(url, Path(folder))
            results |= {f"stored_{size}_per_s": round(rate), f"stored_{size}_p99_ms": wait}
    rates = [value for name, value in results.items() if name.endswith("per_s")]
    return results | {"flatness_1m": round(min(rates) / max(rates), 3)}


if __name__ == "__main__":
    rich.print(measure(tuple(map(int, sys.argv[1:])) or SIZES))
