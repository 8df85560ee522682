"""How soon customers are answered during a backfill, and in how much memory that runs.

    python -m tests.benchmarks.backfill [CONVERSATIONS] [MESSAGES_EACH]

The old conversations are at another connection (`archive.py`, a process of its own), so that the reference
helpdesk's own pace is no part of the figures.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rich
import uvloop
import yaml
from sqlalchemy import text

from adapters.vendors.memory.server import MemoryHelpdesk
from config.database import open_engine
from gateway import server
from tests.benchmarks.processes import SECRET, TOKEN, configuration, free_port, peak_mb, postgres, process
from tests.benchmarks.replies import ask, percentiles, prepare

CONVERSATIONS = 100_000
MESSAGES_EACH = 10
PER_SECOND = 17
ROUND = 10.0
"""Seconds of questions at a time; the backfill goes on through all rounds."""
EARLY = 0.1
"""The share of the backfill after which its memory is looked at for the first time."""


class Importing:
    """The `deskbridge backfill` process, and its memory."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "gateway", "backfill", "archive", "--config", str(config)]
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        self.pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
        self.status: int | None = None
        self.peak_mb = 0.0
        self.early_mb: float | None = None

    def look(self, share: float) -> None:
        """Note how much memory it took, once `share` of the work is enough; and whether it ended."""
        if self.status is not None:
            return
        self.peak_mb = max(self.peak_mb, peak_mb(self.pid))
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = status
        elif share >= EARLY and self.early_mb is None:
            self.early_mb = self.peak_mb


async def _imported(url: str) -> int:
    engine = open_engine(url, name="bench", pool_size=1)
    async with engine.connect() as connection:
        read = await connection.scalar(
            text("SELECT (counts -> 'conversations' ->> 'read')::int FROM pull_run ORDER BY ref DESC LIMIT 1")
        )
    await engine.dispose()
    return read or 0


async def _converse(url: str, config: Path, ports: tuple[int, int], conversations: int) -> dict[str, float]:
    helpdesk_port, port = ports
    helpdesk = MemoryHelpdesk(
        token=TOKEN, webhook_url=f"http://127.0.0.1:{port}/hooks/shop", webhook_secret=SECRET
    )
    waits: list[float] = []
    async with server.serving(helpdesk, server.bind("127.0.0.1", helpdesk_port)):
        await ask(helpdesk, per_second=PER_SECOND, seconds=2)
        began = time.perf_counter()
        importing = Importing(config)
        while importing.status is None:
            waits += await ask(helpdesk, per_second=PER_SECOND, seconds=ROUND)
            importing.look(await _imported(url) / conversations)
        seconds = time.perf_counter() - began
    if importing.status:
        raise RuntimeError("the backfill failed")
    if await _imported(url) != conversations:
        raise RuntimeError("the backfill ended early")
    median, _, slow = percentiles(waits)
    return {
        "reply_p50_ms_backfill": median,
        "reply_p99_ms_backfill": slow,
        "backfill_rss_mb": round(importing.peak_mb),
        "backfill_rss_mb_early": round(importing.early_mb or importing.peak_mb),
        "backfill_conversations_per_s": round(conversations / seconds, 1),
    }


@contextmanager
def _settings(folder: str, url: str, helpdesk_port: int, archive_port: int) -> Iterator[Path]:
    path = configuration(Path(folder), database_url=url, helpdesk_port=helpdesk_port, turns={"quiet": 0})
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    live = tree["connections"]["shop"]
    address = {"base_url": f"http://127.0.0.1:{archive_port}"}
    tree["connections"]["archive"] = live | {"settings": live["settings"] | address}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    yield path


def measure(conversations: int = CONVERSATIONS, messages_each: int = MESSAGES_EACH) -> dict[str, float]:
    """A gateway with its worker inside, customers who ask all the time, a backfill in its own process."""
    with postgres() as database, tempfile.TemporaryDirectory() as folder:
        url = database.url()
        uvloop.run(prepare(url))
        port, helpdesk_port, archive_port = free_port(), free_port(), free_port()
        archive = str(Path(__file__).with_name("archive.py"))
        with (
            _settings(folder, url, helpdesk_port, archive_port) as config,
            process(archive, str(archive_port), str(conversations), str(messages_each), port=archive_port),
            process("-m", "gateway", "serve", "--port", str(port), "--config", str(config), port=port),
        ):
            return uvloop.run(_converse(url, config, (helpdesk_port, port), conversations))


if __name__ == "__main__":
    rich.print(measure(*map(int, sys.argv[1:])))
