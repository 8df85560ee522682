"""How fast the log is written, and in how much memory: `python -m tests.benchmarks.export [MESSAGES]`.

The rows are made inside a scratch database; the export is the command itself, in a process of its own.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from config.database import open_engine
from config.embedded import EmbeddedPostgres
from gateway.export.manifest import load
from gateway.migrate import upgrade
from tests.benchmarks.processes import peak_mb

PER_CONVERSATION = 20
_CONVERSATIONS = """
INSERT INTO conversation (ref, connection, id, customer_ref, channel, status, tags, subject, url, language,
    attributes, created_at, last_message_at, lease_holder, lease_epoch, lease_since)
SELECT n, 'shop', n::text, n, 'chat', 'pending', '{}', '', '', 'zh', '{}', now(), now(), 'ai', 1, now()
FROM generate_series(1, :conversations) AS n
"""
_CUSTOMERS = """
INSERT INTO customer (ref, main_ref, name, attributes, created_at)
SELECT n, n, 'Customer ' || n, '{"tier": "vip"}', now() FROM generate_series(1, :conversations) AS n
"""
_MESSAGES = """
INSERT INTO message (ref, conversation_ref, id, author, person, text, private, attachments, origin,
    sent_at, seen_at, event_ref)
SELECT n, 1 + n % :conversations, 'msg_' || n, CASE n % 2 WHEN 0 THEN 'ai' ELSE 'customer' END, NULL,
    '请问我的订单 ' || n || ' 什么时候发货？How long does delivery to Singapore take, and what does it cost?',
    false, '[]', 'live', now(), now(), n
FROM generate_series(1, :messages) AS n
"""


async def fill(url: str, messages: int) -> None:
    """Make the rows."""
    await upgrade(url)
    engine = open_engine(url, name="bench")
    values = {"messages": messages, "conversations": max(1, messages // PER_CONVERSATION)}
    async with engine.begin() as connection:
        for statement in (_CONVERSATIONS, _CUSTOMERS, _MESSAGES):
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), names)
    await engine.dispose()


def write(url: str, directory: Path, *options: str) -> float:
    """Run the command and print what it took; its peak memory in MB."""
    command = [str(Path(sys.executable).with_name("deskbridge")), "export", "--out", str(directory), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"DESKBRIDGE_DATABASE_URL": url})
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.02)
    status = process.returncode
    seconds = time.perf_counter() - began
    manifest = load(directory)
    if status or manifest is None:
        sys.exit("the export failed")
    files = [file for run in manifest.runs for file in run.files]
    rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    speed = f"{rows / seconds:,.0f} rows/s, {size / 1e6 / seconds:.0f} MB/s"
    print(  # noqa: T201 - a measurement's output
        f"{' '.join(options) or 'plain'}: {rows:,} rows, {size / 1e6:,.0f} MB in {seconds:.1f} s:"
        f" {speed}, peak {peak:.0f} MB RSS"
    )
    return peak


def measure(messages: int = 1_000_000) -> dict[str, float]:
    """Fill, then export plainly and redacted: the larger peak of the two."""
    with tempfile.TemporaryDirectory(prefix="deskbridge-bench-") as scratch:
        directory = Path(scratch)
        directory.chmod(0o755)
        server = EmbeddedPostgres(directory / "pg")
        try:
            asyncio.run(fill(server.url(), messages))
            peaks = [
                write(server.url(), directory / "plain"),
                write(server.url(), directory / "redacted", "--redact"),
            ]
        finally:
            server.stop()
    return {"export_rss_mb": round(max(peaks))}


if __name__ == "__main__":
    measure(*map(int, sys.argv[1:]))
