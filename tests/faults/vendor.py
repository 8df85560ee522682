"""One fake vendor in a process of its own.

Started as `python -m tests.faults.vendor PORT TOKEN SEED`.
"""

import asyncio
import sys

import uvloop

from adapters.vendors.memory.server import MemoryHelpdesk
from gateway import server

WEBHOOKS_AT_ONCE = 8


async def main(port: int, token: str, seed: int) -> None:
    """Serve the reference helpdesk until the process is told to stop."""
    helpdesk = MemoryHelpdesk(token=token, concurrency=WEBHOOKS_AT_ONCE, webhook_timeout=10.0, seed=seed)
    async with server.serving(helpdesk, server.bind("127.0.0.1", port)):
        stopped = asyncio.create_task(server.until_signalled())
        await stopped


if __name__ == "__main__":
    _, port, token, seed = sys.argv
    uvloop.run(main(int(port), token, int(seed)))
