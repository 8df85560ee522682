"""A worker that kills itself, with SIGKILL, before or after the n-th call of a function.

    python dying_worker.py CONFIG MODULE:QUALNAME before|after N

The product knows nothing of it: the function is wrapped from outside.
"""

import asyncio
import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.settings import load_settings
from gateway.commands.serving import work


def die() -> None:
    """As the kernel's out-of-memory killer would have it."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(target: str, moment: str, nth: int) -> None:
    """Wrap the target so that its `nth` call is the process's last."""
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    setattr(owner, name, _deadly(getattr(owner, name), moment, nth))


def _deadly(function: Callable[..., Any], moment: str, nth: int) -> Callable[..., Any]:
    calls = 0

    def count(now: str) -> None:
        nonlocal calls
        calls += now == "before"
        if now == moment and calls == nth:
            die()

    @functools.wraps(function)
    async def later(*arguments: Any, **options: Any) -> Any:
        count("before")
        result = await function(*arguments, **options)
        count("after")
        return result

    @functools.wraps(function)
    def at_once(*arguments: Any, **options: Any) -> Any:
        count("before")
        result = function(*arguments, **options)
        count("after")
        return result

    return later if inspect.iscoroutinefunction(function) else at_once


if __name__ == "__main__":
    _, config, target, moment, nth = sys.argv
    arm(target, moment, int(nth))
    asyncio.run(work(load_settings(Path(config))))
