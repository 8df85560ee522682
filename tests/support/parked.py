"""Things that get parked: events nobody can read, replies that no vendor takes."""

from typing import Any

import httpx
import pytest
from support.bridge import SECRET, Bridge, eventually

from adapters.errors import Malformed
from adapters.signatures import sign
from adapters.vendors.memory.records import SIGNATURE
from adapters.webhook import Webhook
from config.clock import utc_now

TORN = b'{"id": "evt_torn", "secret_token": "hush", '


class BrokenAdapter:
    """The shop's adapter with a bug: events that tell of messages are parked until it is mended."""

    def __init__(self, bridge: Bridge, patch: pytest.MonkeyPatch) -> None:
        self._adapter: Any = bridge.house.adapters["shop"]
        self._patch = patch
        self._sound = self._adapter.parse
        self.fail_on("message_posted")

    def mend(self) -> None:
        """The fix is installed."""
        self._patch.setattr(self._adapter, "parse", self._sound)

    def fail_on(self, text: str) -> None:
        """Only events that hold this can't be read."""

        def parse(body: bytes) -> Any:
            if text.encode() in body:
                raise Malformed(f"this version can't read {text!r}")
            return self._sound(body)

        self._patch.setattr(self._adapter, "parse", parse)


async def deliver(bridge: Bridge, body: bytes) -> httpx.Response:
    """A webhook with a good signature, whatever its body."""
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=body)
    headers = dict(sign(SIGNATURE, webhook, SECRET, at=utc_now()).headers)
    return await bridge.http.post("/hooks/shop", content=body, headers=headers)


async def park_reply(bridge: Bridge, customer: str = "cus_1", **fault: Any) -> Any:
    """A customer asks, and the answer's reply is parked; what they said."""
    how = {"fault": "error", "status": 422, "times": 1} | fault
    bridge.helpdesk.misbehave(how.pop("fault"), method="POST", path="/messages", **how)
    before = len(await bridge.rows("SELECT 1 FROM command WHERE state = 'parked'"))
    said = bridge.helpdesk.customer_says(customer, "How long does delivery take?", name="Ann Lee")

    async def parked() -> bool:
        return len(await bridge.rows("SELECT 1 FROM command WHERE state = 'parked'")) > before

    await eventually(parked, what="the reply parked")
    await bridge.settled()
    return said


async def listed(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """What is parked, as the API lists it."""
    answer = await api.get("/v1/parked", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def act(api: httpx.AsyncClient, item: str, action: str, *, dry_run: bool = False, **body: Any) -> Any:
    """Replay or drop one; the answer's JSON."""
    headers = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
    answer = await api.post(
        f"/v1/parked/{item}/{action}", json=body, headers=headers, params={"dry_run": dry_run}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()
