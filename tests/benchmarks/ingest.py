"""How many webhooks a second are accepted, durably, against an empty Litestar handler."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import rich
import uvloop

from adapters.signatures import sign
from adapters.vendors.memory.records import SIGNATURE
from adapters.webhook import Webhook
from config.clock import utc_now
from gateway.migrate import upgrade
from tests.benchmarks.load import Tally, drive, post
from tests.benchmarks.processes import SECRET, configuration, free_port, postgres, process

CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 3
PAYLOAD = (
    b'{"id":"evt_%d","type":"message_posted","occurred_at":"2026-01-01T00:00:00Z",'
    b'"conversation":{"id":"con_%d","channel":"chat","status":"pending","customer_id":"cus_%d","tags":[]},'
    b'"customer":{"id":"cus_%d","name":"Ann","email":"ann@example.com"},'
    b'"message":{"id":"msg_%d","author":"customer","text":"How long does delivery take?",'
    b'"posted_at":"2026-01-01T00:00:00Z","private":false},"padding":"' + b"x" * 600 + b'"}'
)


def webhooks(numbers: Iterator[int]) -> Iterator[bytes]:
    """Signed webhooks, each different."""
    for number in numbers:
        person = number % 5000
        body = PAYLOAD % (number, person, person, person, number)
        webhook = Webhook(method="POST", url="/hooks/shop", query={}, headers={}, body=body)
        signed = sign(SIGNATURE, webhook, SECRET, at=utc_now())
        yield post("/hooks/shop", body, {"Content-Type": "application/json", **signed.headers})


def empties() -> Iterator[bytes]:
    """The same bytes to the empty handler."""
    body = PAYLOAD % (1, 1, 1, 1, 1)
    return itertools.repeat(post("/empty", body, {"Content-Type": "application/json"}))


def measure() -> dict[str, float]:
    """Alternate the two, so that a change of the machine's speed meets both; medians of the rounds."""
    numbers = itertools.count(1)
    ratios: list[tuple[float, float]] = []
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        uvloop.run(upgrade(server.url()))
        path = configuration(Path(folder), database_url=server.url(), helpdesk_port=free_port())
        port, empty_port = free_port(), free_port()
        serve = ("-m", "gateway", "serve", "--port", str(port), "--no-worker", "--config", str(path))
        empty_serve = ("-m", "tests.benchmarks.empty_app", str(empty_port))
        with process(*serve, port=port), process(*empty_serve, port=empty_port):
            for _ in range(ROUNDS):
                # Signing is the vendor's work, not ours: it is done before the clock starts.
                ready = list(itertools.islice(webhooks(numbers), 60_000))
                durable = uvloop.run(drive(port, iter(ready), connections=CONNECTIONS, seconds=SECONDS))
                empty = uvloop.run(drive(empty_port, empties(), connections=CONNECTIONS, seconds=SECONDS))
                _require(durable, 202)
                _require(empty, 202)
                ratios.append((durable.rate / empty.rate, durable.rate))
    ratio, rate = sorted(ratios)[len(ratios) // 2]
    return {"ingest_ratio": round(ratio, 3), "ingest_per_s": round(rate)}


def _require(tally: Tally, status: int) -> None:
    if set(tally.statuses) != {status}:
        raise RuntimeError(f"expected only {status}, saw {tally.statuses}")


if __name__ == "__main__":
    rich.print(measure())
