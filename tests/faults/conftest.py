"""Real worker processes that may die at a named point."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import yaml
from support.bridge import Bridge

ROOT = Path(__file__).parent.parent.parent
Process = subprocess.Popen[bytes]
PATIENCE = 30.0


@pytest.fixture
def settings_file(bridge: Bridge, tmp_path: Path) -> Path:
    """The bridge's settings, for a worker in another process."""
    path = tmp_path / "deskbridge.yaml"
    tree = bridge.settings.model_dump(mode="json", exclude={"config", "policies"}, exclude_none=True)
    tree |= {"log_level": "ERROR", "policies": str(bridge.settings.policies)}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


@pytest.fixture
async def start(settings_file: Path) -> AsyncIterator[Callable[..., Process]]:
    """Start a worker; given a function, a moment and a number, one that dies (or is frozen) there.

    `about` is what the call must be about.
    """
    started: list[Process] = []

    def begin(
        target: str = "", moment: str = "", nth: int = 1, blow: str = "SIGKILL", about: str = ""
    ) -> Process:
        command = [sys.executable, "-m", "gateway", "worker", "--config", str(settings_file)]
        if target:
            script = str(Path(__file__).with_name("dying_worker.py"))
            command = [sys.executable, script, str(settings_file), target, moment, str(nth), blow, about]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.send_signal(signal.SIGCONT)
    # They finish what they have begun, and the helpdesk that they speak with runs in this loop.
    ended = await asyncio.gather(*map(_ended, started))
    assert all(ended), "a worker that was told to stop went on for half a minute"


async def _ended(process: Process) -> bool:
    try:
        await asyncio.to_thread(process.wait, PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return False
    return True
