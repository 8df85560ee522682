"""The processes of a measurement: each on a free port, each stopped by its pid."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from config.embedded import EmbeddedPostgres

TOKEN = "bench-token"
SECRET = "bench-secret"


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    *arguments: str, port: int | None = None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process, once it listens on `port`; ended when the block is left."""
    child = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "DESKBRIDGE_BENCH_LOGS" not in os.environ else None,
    )
    try:
        if port is not None:
            _await_port(port, child)
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_port(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(1500):
        if child.poll() is not None:
            raise RuntimeError(f"{child.args} ended with {child.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{child.args} never listened on {port}")


@contextmanager
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this measurement's own, fsync on."""
    directory = Path(tempfile.mkdtemp(prefix="deskbridge-bench-"))
    directory.chmod(0o755)
    server = EmbeddedPostgres(directory / "pg")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def configuration(directory: Path, *, database_url: str, helpdesk_port: int, **more: object) -> Path:
    """A settings file for one reference helpdesk."""
    path = directory / "deskbridge.yaml"
    tree = {
        "database_url": database_url,
        "data_dir": str(directory),
        "log_level": "WARNING",
        "connections": {
            "shop": {
                "adapter": "memory",
                "settings": {
                    "base_url": f"http://127.0.0.1:{helpdesk_port}",
                    "token": TOKEN,
                    "webhook_secret": SECRET,
                },
            }
        },
        **more,
    }
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far, in MB; 0 once it has ended.

    Not `ru_maxrss`: that also counts what its parent had when it was started.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
