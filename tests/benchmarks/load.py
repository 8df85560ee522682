"""A load generator that costs little: prebuilt requests over keep-alive connections, one at a time each."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Tally:
    """What came of a run: latencies in seconds, statuses."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], tally: Tally, until: float) -> None:
        self._requests = requests
        self._tally = tally
        self._until = until
        self._sent = 0.0
        self._seen = b""
        self._usual = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None or time.perf_counter() > self._until:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        # An answer that equals the one before needs no second look: the generator shares the machine.
        if self._seen or data != self._usual:
            self._seen += data
            if not _is_whole(self._seen):
                return
            self._usual, self._seen = self._seen, b""
        status = int(self._usual[9:12])
        self._tally.latencies.append(time.perf_counter() - self._sent)
        self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def drive(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Tally:
    """Keep `connections` busy with `requests` for so long."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: _Client(requests, tally, began + seconds), "127.0.0.1", port))[
            1
        ]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    tally.seconds = time.perf_counter() - began
    return tally
