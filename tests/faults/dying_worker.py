"""A worker that kills itself, or freezes, before or after the n-th call of a function.

    python dying_worker.py CONFIG MODULE:QUALNAME before|after N [SIGKILL|SIGSTOP [ABOUT]]

With ABOUT only those calls count whose arguments, written out, hold that text.

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


def arm(target: str, moment: str, nth: int, blow: signal.Signals, about: str = "") -> None:
    """Wrap the target so that its `nth` call is the process's last, or the last for a while."""
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    setattr(owner, name, _deadly(getattr(owner, name), moment, nth, blow, about))


def _deadly(
    function: Callable[..., Any], moment: str, nth: int, blow: signal.Signals, about: str
) -> Callable[..., Any]:
    calls = 0

    def count(now: str, arguments: tuple[Any, ...]) -> None:
        nonlocal calls
        if about not in repr(arguments):
            return
        calls += now == "before"
        if now == moment and calls == nth:
            os.kill(os.getpid(), blow)

    @functools.wraps(function)
    async def later(*arguments: Any, **options: Any) -> Any:
        count("before", arguments)
        result = await function(*arguments, **options)
        count("after", arguments)
        return result

    @functools.wraps(function)
    def at_once(*arguments: Any, **options: Any) -> Any:
        count("before", arguments)
        result = function(*arguments, **options)
        count("after", arguments)
        return result

    return later if inspect.iscoroutinefunction(function) else at_once


if __name__ == "__main__":
    _, config, target, moment, nth, *more = sys.argv
    arm(target, moment, int(nth), signal.Signals[more[0]] if more else signal.SIGKILL, *more[1:])
    asyncio.run(work(load_settings(Path(config))))
