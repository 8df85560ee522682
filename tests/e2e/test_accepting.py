"""POST /hooks/{connection}: what is answered, and what is kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.bridge import SECRET, Bridge, eventually, free_port, serving

from adapters.signatures import sign
from adapters.vendors.memory.records import SIGNATURE
from adapters.webhook import Webhook
from config.clock import utc_now
from config.embedded import EmbeddedPostgres
from config.settings import Settings
from gateway.app import create_app
from gateway.console.sessions import COOKIE
from gateway.migrate import upgrade

NEW_SECRET = "the-secret-after-rotation"
BODY = msgspec.json.encode({"id": "evt_1", "type": "unheard_of", "conversation": {"id": "con_1"}})


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A small body limit, and two active secrets."""
    return {
        "body_limit": 2048,
        "connections": {
            "shop": {
                "adapter": "memory",
                "settings": {
                    "base_url": "http://127.0.0.1:9",
                    "token": "t",
                    "webhook_secret": [NEW_SECRET, SECRET],
                },
            }
        },
    }


def signed(body: bytes, *, secret: str = SECRET, age: timedelta = timedelta()) -> Mapping[str, str]:
    """The headers with which the helpdesk would send this body."""
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=body)
    return sign(SIGNATURE, webhook, secret, at=utc_now() - age).headers


async def post(bridge: Bridge, body: bytes, headers: Mapping[str, str], to: str = "shop") -> httpx.Response:
    """Deliver a webhook."""
    return await bridge.http.post(f"/hooks/{to}", content=body, headers=dict(headers))


async def test_an_accepted_event_is_committed_before_it_is_answered(bridge: Bridge) -> None:
    """202, and the row is there."""
    assert (await post(bridge, BODY, signed(BODY))).status_code == 202
    (row,) = await bridge.rows("SELECT connection, key, lane FROM inbox")
    assert (row.connection, row.key, row.lane) == ("shop", "evt_1", "shop/con_1")


async def test_every_active_secret_is_accepted(bridge: Bridge) -> None:
    """While a secret is rotated, webhooks signed with either come in."""
    assert (await post(bridge, BODY, signed(BODY, secret=NEW_SECRET))).status_code == 202
    other = BODY.replace(b"evt_1", b"evt_2")
    assert (await post(bridge, other, signed(other, secret=SECRET))).status_code == 202


async def test_a_duplicate_is_answered_200_and_stored_once(bridge: Bridge) -> None:
    """Also when both come at the same moment."""
    answers = await asyncio.gather(*(post(bridge, BODY, signed(BODY)) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
    assert len(await bridge.rows("SELECT 1 FROM inbox")) == 1


@pytest.mark.parametrize(
    ("sign_now", "why"),
    [
        (dict, "missing"),
        (partial(signed, BODY, secret="guessed"), "none of the active secrets"),
        (partial(signed, BODY + b" "), "none of the active secrets"),
        (partial(signed, BODY, age=timedelta(minutes=6)), "older"),
        (partial(signed, BODY, age=timedelta(minutes=-6)), "future"),
    ],
    ids=["unsigned", "wrong secret", "tampered", "stale", "from the future"],
)
async def test_what_the_helpdesk_did_not_send_is_refused(
    bridge: Bridge, sign_now: Callable[[], Mapping[str, str]], why: str
) -> None:
    """401 with the reason, and nothing is kept."""
    answer = await post(bridge, BODY, sign_now())
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert why in answer.json()["detail"]
    assert not await bridge.rows("SELECT 1 FROM inbox")


async def test_an_unknown_connection_is_not_found(bridge: Bridge) -> None:
    """404 names what was asked for."""
    answer = await post(bridge, BODY, signed(BODY), to="nobody")
    assert answer.status_code == 404
    assert "nobody" in answer.json()["detail"]


async def test_a_body_over_the_limit_is_too_large(bridge: Bridge) -> None:
    """413, whether the length is announced or the body just goes on."""
    large = b"x" * 4096

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 1024

    assert (await post(bridge, large, signed(large))).status_code == 413
    assert (await bridge.http.post("/hooks/shop", content=pieces())).status_code == 413


async def test_an_unreadable_body_is_counted_and_kept(bridge: Bridge) -> None:
    """400, once in the inbox for a person to look at, and counted each time."""
    torn = b'{"id": "evt_1", '
    for _ in range(2):
        assert (await post(bridge, torn, signed(torn))).status_code == 400
    (row,) = await bridge.rows(
        "SELECT i.state, i.reason, p.body FROM inbox i JOIN payload p ON p.inbox_ref = i.ref"
    )
    assert (row.state, row.body) == ("malformed", torn)
    assert "JSON" in row.reason
    metrics = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_webhooks_total{connection="shop",outcome="malformed"} 2.0' in metrics


async def test_an_id_that_no_column_takes_is_malformed_and_fails_nobody_else(bridge: Bridge) -> None:
    """A NUL in a key or lane: refused by itself; what came at the same moment is accepted."""
    nul = BODY.replace(b"evt_1", b"evt_\\u0000")
    answers = await asyncio.gather(*(post(bridge, body, signed(body)) for body in (nul, BODY)))
    assert [answer.status_code for answer in answers] == [400, 202]


async def test_without_a_database_the_hook_says_try_again_and_soon(
    own_postgres: EmbeddedPostgres, tmp_path: Path, overrides: dict[str, Any]
) -> None:
    """503 with Retry-After, within a second for hooks; when the database is back, so is the bridge."""
    await upgrade(own_postgres.url())
    app = create_app(Settings(database_url=own_postgres.url(), data_dir=tmp_path, **overrides))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(app, free_port()))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        await asyncio.to_thread(own_postgres.stop)
        began = time.monotonic()
        answer = await http.post("/hooks/shop", content=BODY, headers=dict(signed(BODY)))
        assert time.monotonic() - began < 1
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        torn = await http.post("/hooks/shop", content=BODY[:9], headers=dict(signed(BODY[:9])))
        assert (torn.status_code, torn.headers["retry-after"]) == (503, "5")
        asked = await http.get("/v1/conversations", headers={"Authorization": "Bearer whoever"})
        assert (asked.status_code, asked.headers["retry-after"]) == (503, "5")
        assert asked.headers["content-type"] == "application/problem+json"
        page = await http.get("/console", headers={"Cookie": f"{COOKIE}=whoever"})
        assert page.status_code == 503
        assert "try again" in page.text
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
        again = await asyncio.to_thread(EmbeddedPostgres, tmp_path / "pg")

        async def accepted() -> bool:
            answer = await http.post("/hooks/shop", content=BODY, headers=dict(signed(BODY)))
            return answer.status_code in {200, 202}

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(accepted, what="webhooks accepted again")
        await eventually(ready, what="the worker listening again")
    await asyncio.to_thread(again.stop)


async def test_what_a_vendor_signs_is_the_public_address(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy, a vendor signs the address that it was given, not the one that arrives here."""
    seen: list[str] = []
    verify = type(bridge.house.adapters["shop"]).verify

    def noting(adapter: Any, webhook: Any, *, now: Any) -> Any:
        seen.append(webhook.url)
        return verify(adapter, webhook, now=now)

    monkeypatch.setattr(type(bridge.house.adapters["shop"]), "verify", noting)
    await bridge.http.post("/hooks/shop?a=1", content=b"{}", headers={"Host": "inner.invalid"})
    assert seen == [f"{bridge.url}/hooks/shop?a=1"]
