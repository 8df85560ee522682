"""Looking at a live vendor: `check` and `record`, and what recording must never write down."""

import asyncio
import json
import os
import shutil
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import served
from support.bridge import free_port

from adapters import registry
from adapters.model import PullKind
from adapters.signatures import sign
from adapters.testing.checking import CHECKS
from adapters.testing.checks.asking import walk
from adapters.testing.running import Ending, run_one
from adapters.testing.subject import Subject
from adapters.testing.vendor import ScriptedVendor, read_answers
from adapters.vendors.memory.records import SIGNATURE
from adapters.vendors.memory.server import MemoryHelpdesk
from adapters.webhook import Webhook
from gateway.authoring.redaction import Redactor

DESCRIBED = Path(__file__).parent / "described" / "memory.yaml"
EVENT = {
    "id": "evt_1",
    "type": "customer_changed",
    "customer": {"id": "cus_1", "name": "陳雅婷", "email": "chen@example.org", "phone": "+886912345678"},
}


@pytest.fixture
def config(tmp_path: Path, address: str) -> Path:
    """Settings with a live connection, and one whose token is wrong."""
    path = tmp_path / "deskbridge.yaml"
    path.write_text(
        f"""
connections:
  shop:
    adapter: memory
    settings: {{base_url: "{address}", token: memory-token, webhook_secret: hook-secret}}
  wrong:
    adapter: memory
    settings: {{base_url: "{address}", token: no-such-token, webhook_secret: hook-secret}}
  elsewhere:
    adapter: memory
    settings: {{base_url: "{address}/v9", token: memory-token, webhook_secret: hook-secret}}
  down:
    adapter: memory
    settings: {{base_url: "http://127.0.0.1:{free_port()}", token: memory-token, webhook_secret: hook-secret}}
  described:
    adapter: http
    settings:
      {{description: memory.yaml, base_url: "{address}", token: memory-token, webhook_secret: hook-secret}}
"""
    )
    shutil.copy(DESCRIBED, tmp_path / "memory.yaml")
    return path


async def deskbridge(*arguments: str | Path, cwd: Path) -> asyncio.subprocess.Process:
    """The command, started."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DESKBRIDGE_")}
    return await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("deskbridge"),
        "adapters",
        *map(str, arguments),
        cwd=cwd,
        env=kept | {"COLUMNS": "250"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """How it ended, and what it said."""
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode()


async def test_check_names_whose_credentials_these_are(
    config: Path, tmp_path: Path, helpdesk: MemoryHelpdesk
) -> None:
    """And how much there is to see."""
    helpdesk.customer_says("li", "hello")
    code, said = await ended(await deskbridge("check", "shop", "--config", config, cwd=tmp_path))
    assert code == 0, said
    assert "credentials: Deskbridge bot" in said
    assert "messages: 1 on the first pages" in said
    code, said = await ended(await deskbridge("check", "nowhere", "--config", config, cwd=tmp_path))
    assert code == 2
    assert "the settings name: shop, wrong, elsewhere" in said


@pytest.mark.parametrize(
    ("connection", "reason", "cure"),
    [
        ("wrong", "answered 401", "check the credentials (token), their rights, and that they are for http"),
        ("elsewhere", "answered 404", "/v9"),
        ("down", "no connection (Connection refused)", "and that it can be reached from here"),
    ],
)
@pytest.mark.usefixtures("helpdesk")
async def test_what_is_wrong_is_told_in_a_line_with_what_to_look_at(
    config: Path, tmp_path: Path, connection: str, reason: str, cure: str
) -> None:
    """By both commands; what a vendor refused is no fixture."""
    for command in ("check", "record"):
        code, said = await ended(await deskbridge(command, connection, "--config", config, cwd=tmp_path))
        assert (code, said.count("\n")) == (2, 1)
        assert f"error: connection '{connection}': GET /api/me" in said
        assert reason in said
        assert cure in said
    assert not (tmp_path / "fixtures").exists()


async def test_a_list_that_cannot_be_had_is_told_and_the_others_go_on(
    config: Path, tmp_path: Path, helpdesk: MemoryHelpdesk
) -> None:
    """A description is asked like an adapter; what isn't as described is no success."""
    helpdesk.customer_says("li", "hello")
    code, said = await ended(await deskbridge("check", "described", "--config", config, cwd=tmp_path))
    assert code == 0, said
    path = tmp_path / "memory.yaml"
    path.write_text(path.read_text().replace("get: /api/customers\n", "get: /api/customrs\n", 1))
    code, said = await ended(await deskbridge("check", "described", "--config", config, cwd=tmp_path))
    assert code == 1
    assert "customers: 0 on the first pages; GET /api/customrs answered 404" in said
    assert "conversations: 1 on the first pages\n" in said


@pytest.mark.usefixtures("helpdesk")
async def test_a_port_or_a_place_that_cannot_be_had_is_told(config: Path, tmp_path: Path) -> None:
    """In a line, before the vendor is asked anything, or instead of a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        options = ("--config", config, "--listen", port)
        code, said = await ended(await deskbridge("record", "shop", *options, cwd=tmp_path))
    assert (code, said.count("\n")) == (2, 1)
    assert f"port {port} can't be had (Address already in use); name another with --listen" in said
    into = ("--config", config, "--into", config)
    code, said = await ended(await deskbridge("record", "shop", *into, cwd=tmp_path))
    assert code == 2
    assert "can't be written (Not a directory)" in said


async def test_what_is_recorded_can_be_played_back(
    config: Path, tmp_path: Path, helpdesk: MemoryHelpdesk
) -> None:
    """As answers of the conformance kit; nobody's words or addresses are in them."""
    helpdesk.customer_says("li", "My card is 4000, please call me")
    code, said = await ended(await deskbridge("record", "shop", "--config", config, cwd=tmp_path))
    assert code == 0, said
    answers = tmp_path / "fixtures" / "answers"
    written = "".join(path.read_text() for path in answers.glob("*.json"))
    assert "My card" not in written
    assert "li@example.com" not in written
    assert "memory-token" not in written
    vendor = ScriptedVendor(read_answers(answers))
    async with httpx.AsyncClient(transport=vendor, base_url="https://v.example") as http:
        told = (await http.get("/api/conversations", params={"cursor": "0"})).json()
    assert told["items"][0]["id"] == next(iter(helpdesk.state.conversations))


async def test_webhooks_are_kept_and_their_signatures_judged(config: Path, tmp_path: Path) -> None:
    """One file for each, named after its event; the author reads at once whether the signature holds."""
    port = free_port()
    options = ("--config", config, "--listen", str(port), "--most", "2")
    process = await deskbridge("record", "shop", *options, cwd=tmp_path)
    body = json.dumps(EVENT, ensure_ascii=False).encode()
    bare = Webhook(method="POST", url="", query={}, headers={}, body=body)
    good = dict(sign(SIGNATURE, bare, "hook-secret", at=datetime.now(UTC)).headers)
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=0)) as http:
        for headers in (good, {}):
            await _post(http, f"http://127.0.0.1:{port}/", body, headers)
    code, said = await ended(process)
    assert code == 0, said
    assert "customer_changed.json: signature holds" in said
    assert "customer_changed_2.json: signature refused: the header X-Memory-Signature is missing" in said
    kept = json.loads((tmp_path / "fixtures" / "customer_changed.json").read_text())
    assert (kept["id"], kept["type"], kept["customer"]["id"]) == ("evt_1", "customer_changed", "cus_1")
    assert kept["customer"]["name"].startswith("Person ")
    assert kept["customer"]["email"].startswith("person")
    assert "+886912345678" not in json.dumps(kept)


async def test_what_is_recorded_is_good_for_the_kit(
    config: Path, tmp_path: Path, helpdesk: MemoryHelpdesk
) -> None:
    """Answers and webhooks of the same people: told alike, with nobody in them who was there."""
    port = free_port()
    said = helpdesk.customer_says(
        "li", "Please call me on 13800138000", name="李小龍", email="li@example.org", phone="+8613800138000"
    )
    options = ("--config", config, "--listen", str(port), "--most", "3")
    process = await deskbridge("record", "described", *options, cwd=tmp_path)
    await asyncio.wait_for(_until(process, "send webhooks to"), 30)
    helpdesk.subscribe(f"http://127.0.0.1:{port}/", "hook-secret")
    helpdesk.customer_says("li", "I am 李小龍, li@example.org")
    helpdesk.agent_says(said.conversation_id, "Hello 李小龍")
    helpdesk.set_status(said.conversation_id, "open")
    code, told = await ended(process)
    assert (code, told.count("signature holds")) == (0, 3), told
    fixtures = tmp_path / "fixtures"
    files = [path for path in fixtures.rglob("*") if path.is_file()]
    everything = "".join(f"{path} {path.read_text(encoding='utf-8')}" for path in files)
    for private in ("李小龍", "13800138000", "li@example", "hook-secret", "memory-token", "Hello"):
        assert private not in everything
    subject = Subject(registry.get("http", {"description": str(tmp_path / "memory.yaml")}))
    for check in ("credentials", "understood", "well_formed", "keyed", "lanes", "told_alike", "pages_resume"):
        for file in subject.webhooks if CHECKS[check].per_file else [""]:
            result = await run_one(CHECKS[check], subject, file)
            assert result.ending is Ending.PASSED, result


async def _until(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stdout is not None
    while words not in (await process.stdout.readline()).decode():
        pass


SECRET_QUERY = """
title: Acme
roles: [helpdesk]
tier: bronze
fields:
  - {name: base_url, type: url, label: {en: a, zh: b}}
  - {name: token, secret: true, label: {en: a, zh: b}}
base_url: ${settings.base_url}
auth:
  kind: signed
  signature:
    {parameter: sign, secret_field: token, signed: "{query:nonce}{timestamp}", timestamp_parameter: t}
  query: {nonce: "${nonce}"}
check: {get: "/bot${settings.token}/me", says: answer.name}
records:
  conversation: {id: it.id}
  message: {id: it.id, author: it.by, text: it.text, sent_at: it.at}
pages:
  conversations:
    get: /rooms
    items: answer
    next: {by: link}
  messages: {get: "/rooms/${conversation_id}/messages", items: answer}
"""


class Vendor:
    """A vendor whose addresses bear people and secrets."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer by the path; the list of rooms has two pages."""
        await receive()
        if scope["type"] != "http":
            return
        path, query = scope["path"], scope["query_string"].decode()
        link = [] if "page=2" in query else [(b"link", b'</rooms?page=2&who=li@example.org>; rel="next"')]
        answers = {
            "/rooms": [{"id": "13800138000" if link else "room-2"}],
            "/rooms/13800138000/messages": [{"id": 1, "by": "customer", "text": "hi", "at": 1794657600}],
        }
        body = json.dumps(answers.get(path, {"name": "bot"})).encode()
        headers = [(b"content-type", b"application/json"), *(link if path == "/rooms" else [])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def test_addresses_are_redacted_like_what_they_were_taken_from(tmp_path: Path) -> None:
    """Paths, queries and links; what signs a request is left out, for it is another each time."""
    async with served(Vendor()) as address:
        (tmp_path / "acme.yaml").write_text(SECRET_QUERY)
        settings = f"{{description: acme.yaml, base_url: '{address}', token: tok-4711-secret}}"
        config = tmp_path / "deskbridge.yaml"
        config.write_text(f"connections: {{acme: {{adapter: http, settings: {settings}}}}}")
        code, said = await ended(await deskbridge("record", "acme", "--config", config, cwd=tmp_path))
    assert code == 0, said
    answers = sorted((tmp_path / "fixtures" / "answers").glob("*.json"))
    everything = "".join(f"{path.name} {path.read_text(encoding='utf-8')}" for path in answers)
    for private in ("4711", "13800138000", "li@example", "nonce", "sign", '"t"'):
        assert private not in everything
    subject = Subject(registry.get("http", {"description": str(tmp_path / "acme.yaml")}))
    walked = [page async for page in walk(subject, PullKind.CONVERSATIONS)]
    (first,) = [change.conversation.id for change in walked[0].changes]
    assert [page.last for page in walked] == [False, True]
    async with subject.opened() as (adapter, _):
        page = await adapter.pull(PullKind.MESSAGES, None, scope=first)
    assert len(page.changes) == 1


async def _post(http: httpx.AsyncClient, address: str, body: bytes, headers: dict[str, str]) -> None:
    for _ in range(300):
        try:
            assert (await http.post(address, content=body, headers=headers)).status_code in {200, 202}
        except httpx.ConnectError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("status", "open", "open"),
        ("id", "018f-3c", "018f-3c"),
        ("id", 7, 7),
        ("created_at", "2026-11-14T02:20:11.402Z", "2026-11-14T02:20:11.402Z"),
        ("note", None, None),
        ("note", "", ""),
        ("access_token", "abc", "redacted-1"),
        ("x", "prefix-s3cret-suffix", "redacted-1"),
        ("name", "Alice", "Person 1"),
        ("mail", "alice@shop.example", "person1@example.com"),
        ("x", "+1 (555) 010-0199", "+15550100001"),
        ("avatar", "https://cdn.vendor.example/u/812?sig=f", "https://example.com/1"),
        ("text", "Where is my parcel?", "Text 1 文字😀"),
        ("text", "包裹呢", "Text 1 文字😀"),
        ("text", "call-me-at-13800138000", "Text 1 文字😀"),
        ("mobile", 13800138000, 15550100001),
        ("order_no", 13800138000, 13800138000),
        ("customerName", "Alice", "Person 1"),
        ("eventName", "message.created", "message.created"),
        ("event_name", "message.created", "message.created"),
        ("login", "alice", "Person 1"),
        ("from", "8613800138000", "+15550100001"),
        ("from", "0912345678", "+15550100001"),
        ("no", "110101199003078888", "Text 1 文字😀"),
        ("no", "4920593116471234567", "4920593116471234567"),
        ("via", "203.0.113.9", "Text 1 文字😀"),
        ("birthday", "1990-03-07", "Text 1 文字😀"),
        ("sign", "a1b2c3", "redacted-1"),
        ("sessionId", 4711, 4711),
        ("data", '{"tel": "13800138000", "n": 7}', '{"tel": "+15550100001", "n": 7}'),
    ],
)
def test_shapes_stay_and_people_go(key: str, value: Any, kept: Any) -> None:
    """By key, by form, and by what the connection's secrets are."""
    assert Redactor(["s3cret"]).value({"a": [{key: value}]}) == {"a": [{key: kept}]}


def test_names_that_are_addresses_go_too() -> None:
    """Some vendors key their objects by them."""
    given = {"li@example.org": 1, "13800138000": 2, "status": 3}
    assert Redactor([]).value(given) == {"person1@example.com": 1, "+15550100001": 2, "status": 3}


def test_the_same_becomes_the_same() -> None:
    """So that what belonged together still does."""
    redacted = Redactor([]).value([{"text": "Hello you"}, {"body": "Hello you"}, {"text": "Bye you"}])
    assert redacted[0]["text"] == redacted[1]["body"] != redacted[2]["text"]
