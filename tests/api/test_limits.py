"""How vendors' limits stand, over HTTP and on the command line."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.redis import RedisServer
from typer.testing import CliRunner

from adapters.vendors.memory.allowance import Allowance
from gateway.cli import app

QUESTION = "How long does delivery take?"


@pytest.fixture
def overrides(shared_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """With a Redis, and an account of its own."""
    monkeypatch.setenv("DESKBRIDGE_CONNECTIONS__SHOP__ACCOUNT", "acme")
    return {"redis_url": shared_redis_server.url}


async def test_what_is_left_is_shown(
    bridge: Bridge, api: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the API and to the command line, which is another process, from the one count in Redis."""
    bridge.helpdesk.allow(Allowance(requests=40, seconds=60))
    said = bridge.helpdesk.customer_says("cus_1", QUESTION)
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    await bridge.settled()
    found = (await api.get("/v1/limits")).json()
    assert found["shared"] is True
    (every,) = [each for each in found["items"] if each["name"] == "all"]
    assert (every["account"], every["limit"], every["remaining"]) == ("acme", 40, 39)
    assert every["outlook"] == "39 left"

    tree = bridge.settings.model_dump(mode="json", include={"connections", "redis_url"}, exclude_none=True)
    (tmp_path / "limits.yaml").write_text(json.dumps(tree), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "160")
    show: Callable[[], Any] = lambda: CliRunner().invoke(app, ["limits", "-c", str(tmp_path / "limits.yaml")])  # noqa: E731
    shown = await asyncio.to_thread(show)
    assert shown.exit_code == 0, shown.output
    assert "39 left" in shown.output


async def test_limits_need_a_key(bridge: Bridge) -> None:
    """They tell what the company has at its vendors."""
    assert (await bridge.http.get("/v1/limits")).status_code == 401


def test_without_redis_the_command_says_whom_to_ask(tmp_path: Path) -> None:
    """Another process's own count can't be seen from here."""
    config = tmp_path / "deskbridge.yaml"
    config.write_text("{}", encoding="utf-8")
    shown = CliRunner().invoke(app, ["limits", "-c", str(config)])
    assert shown.exit_code == 1
    assert "/v1/limits" in shown.output
