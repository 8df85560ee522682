"""The last question before a write leaves: whether its command is still ours to carry out."""

from datetime import timedelta

import httpx

from adapters.errors import Held
from gateway.limits import purpose


class Overtaken(Held):
    """The right to send was lost before anything was sent: another worker has it, or nobody."""

    def __init__(self) -> None:
        super().__init__("the right to send it was lost before it was sent", retry_after=timedelta())


class OwnedTransport(httpx.AsyncBaseTransport):
    """Asks right before a write: a process may be frozen at any moment, after paying for a request, too."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request. Raises `Overtaken` when it was not sent."""
        why = purpose.current()
        if why.still_ours and not purpose.is_safe(request.method) and not await why.still_ours(why):
            raise Overtaken
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()
