"""What a description sends: commands, look-ups, credentials; and what it takes answers for."""

import base64
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from describing import Vendor, acme, connect

from adapters.attachments import Upload
from adapters.errors import AdapterError, Fatal, Outdated, Rejected, Retryable, Unsupported
from adapters.model import (
    Assign,
    Attachment,
    Author,
    ChangeTags,
    Command,
    CustomerRecord,
    FindCustomer,
    FindMessage,
    HandOver,
    Identity,
    IdentityKind,
    Person,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateCustomer,
)

T = "2026-11-14T12:00:0{}Z"
HERE: dict[str, Any] = {"key": "k-1", "conversation_id": "3"}
AT = "/x/${command.conversation_id}"


def commanding(name: str, *requests: Any, **more: Any) -> Any:
    """A description that knows one command."""
    return acme(commands={name: {"requests": list(requests), **more}})


async def pushed(folder: Path, description: Any, command: Command, *answers: Any) -> tuple[Any, Vendor]:
    """What a command comes to, and what was asked."""
    vendor = Vendor(*(answers or ({"id": 9, "at": T.format(1)},)))
    return await connect(folder, description, vendor).push(command), vendor


def body(request: httpx.Request) -> Any:
    """What was sent."""
    return json.loads(request.content)


async def test_what_is_not_there_is_left_out_and_null_is_kept(tmp_path: Path) -> None:
    """An attribute that is to be taken away is null; a name that isn't to change isn't sent."""
    sent = {"name": "${command.name}", "custom": "${command.attributes}", "flag": True, "n": 1}
    known = commanding("update_customer", {"patch": "/people/${command.customer_id}", "body": sent})
    command = UpdateCustomer(key="k", customer_id="a/b?c", attributes={"tier": None})
    _, vendor = await pushed(tmp_path, known, command)
    assert vendor.asked == ["PATCH /api/people/a%2Fb%3Fc"]
    assert body(vendor.seen[0]) == {"custom": {"tier": None}, "flag": True, "n": 1}


async def test_half_a_request_is_never_sent(tmp_path: Path) -> None:
    """What can't be worked out rejects the command, and names the expression."""
    known = commanding("reply", {"post": AT, "body": {"t": "${text}", "all": "${steps.before.tags + ['x']}"}})
    known["commands"]["reply"]["requests"].insert(0, {"get": "/x", "as": "before"})
    with pytest.raises(Rejected, match=r"steps\.before\.tags \+"):
        await pushed(tmp_path, known, Reply(text="x", author=Author.AI, **HERE), {"tags": None})
    nowhere = commanding("assign", {"put": f"{AT}/${{command.assignee_id}}"})
    with pytest.raises(Rejected, match="isn't there"):
        await pushed(tmp_path, nowhere, Assign(**HERE))


@pytest.mark.parametrize("number", ["..", ".", ""])
async def test_an_id_leads_nowhere_else(tmp_path: Path, number: str) -> None:
    """Whatever a webhook calls a conversation, no request leaves its place."""
    known = commanding("set_status", {"put": "/t/${command.conversation_id}/x", "query": {"to": "${status}"}})
    with pytest.raises(Rejected, match="names nothing"):
        await pushed(tmp_path, known, SetStatus(key="k", conversation_id=number, status=Status.OPEN))
    command = SetStatus(key="k", conversation_id="../me", status=Status.OPEN)
    _, vendor = await pushed(tmp_path, known, command)
    assert vendor.asked == ["PUT /api/t/..%2Fme/x?to=2"]


async def test_a_person_speaks_under_their_name(tmp_path: Path) -> None:
    """`text` is what the customer is to read; the answer's id and time come back."""
    known = commanding(
        "reply", {"post": AT, "form": {"words": "${text}"}}, yields={"id": "answer.id", "at": "answer.at"}
    )
    reply = Reply(text="你好", author=Author.AGENT, person=Person("1", "王芳"), **HERE)
    result, vendor = await pushed(tmp_path, known, reply)
    assert httpx.QueryParams(vendor.seen[0].content.decode())["words"] == "王芳: 你好"
    assert (result.id, result.at) == ("9", datetime(2026, 11, 14, 12, 0, 1, tzinfo=UTC))
    with pytest.raises(Unsupported):
        await pushed(tmp_path, known, Reply(text="x", author=Author.CUSTOMER, **HERE))


async def test_one_request_may_need_the_answer_of_another(tmp_path: Path) -> None:
    """A vendor that overwrites all tags is asked for them first; a step may be skipped."""
    known = commanding(
        "change_tags",
        {"get": "/t/${command.conversation_id}", "as": "ticket"},
        {
            "put": "/t/${command.conversation_id}",
            "when": "size(command.add) > 0",
            "body": {"tags": "${steps.ticket.tags.filter(t, !(t in command.remove)) + command.add}"},
        },
    )
    _, vendor = await pushed(
        tmp_path, known, ChangeTags(add=("b",), remove=("a",), **HERE), {"tags": ["a", "c"]}
    )
    assert body(vendor.seen[1]) == {"tags": ["c", "b"]}
    _, vendor = await pushed(tmp_path, known, ChangeTags(remove=("a",), **HERE), {"tags": []})
    assert len(vendor.seen) == 1


async def test_our_words_become_the_vendors(tmp_path: Path) -> None:
    """The first of several, in its own type; one that there isn't is unsupported."""
    known = commanding("set_status", {"put": AT, "body": {"status": "${status}"}})
    _, vendor = await pushed(tmp_path, known, SetStatus(status=Status.RESOLVED, **HERE))
    assert body(vendor.seen[0]) == {"status": 4}
    with pytest.raises(Unsupported, match="snoozed"):
        await pushed(tmp_path, known, SetStatus(status=Status.SNOOZED, **HERE))


async def test_how_a_hand_over_was_taken(tmp_path: Path) -> None:
    """Queued, and at which place."""
    known = commanding(
        "hand_over",
        {"post": f"{AT}/take", "body": {"why": "${command.summary}"}},
        yields={"reception": "answer.n > 0 ? 'queued' : 'accepted'", "position": "answer.n"},
    )
    result, _ = await pushed(tmp_path, known, HandOver(summary="s", **HERE), {"n": 4})
    assert (result.reception, result.position) == (Reception.QUEUED, 4)


FILE = Upload(name="收據.png", content_type="image/png", size=4, file=io.BytesIO(b"\x89PNG"))
WITH_FILE = Reply(
    text="x", author=Author.AI, attachments=(Attachment(id="1", url="https://f.example"),), **HERE
)


async def test_files_go_as_a_form_or_inside_the_body(tmp_path: Path) -> None:
    """As the vendor wants them; without files the body is JSON."""
    form = commanding(
        "reply", {"post": AT, "body": {"text": "${text}", "tags": ["a", "b"]}, "files": "files[]"}
    )
    vendor = Vendor({"id": 1})
    adapter = connect(tmp_path, form, vendor)
    await adapter.push(WITH_FILE, (FILE,))
    sent = vendor.seen[0]
    assert sent.headers["content-type"].startswith("multipart/form-data")
    assert b"\x89PNG" in sent.content
    assert sent.content.count(b'name="tags"') == 2
    await adapter.push(Reply(text="x", author=Author.AI, **HERE))
    assert body(vendor.seen[1]) == {"text": "x", "tags": ["a", "b"]}

    files = "${uploads.map(u, {'n': u.name, 'd': u.base64})}"
    inside = commanding("reply", {"post": AT, "body": {"text": "${text}", "files": files}})
    vendor = Vendor({"id": 1})
    await connect(tmp_path, inside, vendor).push(WITH_FILE, (FILE,))
    told = {"n": "收據.png", "d": base64.b64encode(b"\x89PNG").decode()}
    assert body(vendor.seen[0]) == {"text": "x", "files": [told]}


def finding(**find: Any) -> Any:
    """A description that finds things."""
    return acme(find=find)


async def test_a_customer_is_found_by_exactly_this_address(tmp_path: Path) -> None:
    """A vendor's search that finds parts of words finds nobody."""
    found = {"email": {"get": "/people", "query": {"q": "${query.identity.value}"}, "found": "answer[0]"}}
    description = finding(customer=found)
    description["records"] = {
        **description["records"],
        "customer": {"id": "it.id", "identities": {"email": "it.mail"}},
    }
    query = FindCustomer(identity=Identity(IdentityKind.EMAIL, "Ann@example.com"))
    for mail, expected in (("ann@example.com", "1"), ("joann@example.com", None)):
        record = await connect(tmp_path, description, Vendor([{"id": 1, "mail": mail}])).find(query)
        assert (record.id if isinstance(record, CustomerRecord) else None) == expected
    assert await connect(tmp_path, description, Vendor([])).find(query) is None
    assert await connect(tmp_path, description, Vendor(httpx.Response(404))).find(query) is None
    with pytest.raises(Unsupported):
        await connect(tmp_path, description).find(FindCustomer(identity=Identity(IdentityKind.PHONE, "1")))


async def test_our_message_is_found_by_what_it_says(tmp_path: Path) -> None:
    """The latest since we sent it, by our bot; never an older one, nor the customer's."""
    description = finding(message={"get": "/t/${query.conversation_id}/m", "items": "answer"})
    said = [
        {"id": i, "by": by, "text": "hi", "at": T.format(i)}
        for i, by in ((1, "ai"), (4, "ai"), (5, "customer"))
    ]
    since = datetime(2026, 11, 14, 12, 0, 3, tzinfo=UTC)
    query = FindMessage(conversation_id="3", token="k", text="hi", private=False, since=since)
    record = await connect(tmp_path, description, Vendor(said)).find(query)
    assert record is not None
    assert record.id == "4"
    assert await connect(tmp_path, description, Vendor(said[:1])).find(query) is None


FAULTS = [
    {"when": "answer.code == 2059", "is": "fatal", "reason": "answer.message"},
    {"when": "answer.code == 7", "is": "retryable", "retry_after": "answer.wait"},
    {"when": "status == 403 && answer.why == 'not yours'", "is": "rejected"},
    {"when": "answer.code == 8", "is": "outdated"},
    {"when": "answer.code == 9", "is": "unsupported"},
    {"when": "status == 500 && answer.code == 1", "is": "retryable"},
]
SORTED = [
    (httpx.Response(200, json={"code": 2059, "message": "bad sign tok-acme"}), Fatal),
    (httpx.Response(200, json={"code": 7, "wait": 4}), Retryable),
    (httpx.Response(403, json={"why": "not yours"}), Rejected),
    (httpx.Response(403, json={"why": "?"}), Fatal),
    (httpx.Response(200, json={"code": 8}), Outdated),
    (httpx.Response(200, json={"code": 9}), Unsupported),
    (httpx.Response(200, text="<html>"), None),
    (httpx.Response(200, json={"code": 1000}), None),
]


@pytest.mark.parametrize(("answer", "expected"), SORTED)
async def test_errors_inside_answers_are_sorted(
    tmp_path: Path, answer: httpx.Response, expected: type[AdapterError] | None
) -> None:
    """The first rule that holds overrules the status; none shows a secret."""
    adapter = connect(tmp_path, acme(errors=FAULTS), Vendor(answer))
    if expected is None:
        await adapter.call("GET", "/x")
        return
    with pytest.raises(expected) as caught:
        await adapter.call("GET", "/x")
    assert type(caught.value) is expected
    assert "tok-acme" not in caught.value.detail
    if isinstance(caught.value, Retryable) and expected is Retryable:
        assert caught.value.retry_after == timedelta(seconds=4)


async def test_a_failed_write_is_in_doubt(tmp_path: Path) -> None:
    """Where the status says that something broke on the way, it may have worked."""
    adapter = connect(tmp_path, acme(errors=FAULTS), Vendor(httpx.Response(500, json={"code": 1})))
    for method, doubtful in (("POST", True), ("GET", False)):
        with pytest.raises(Retryable) as caught:
            await adapter.call(method, "/x")
        assert caught.value.outcome_unknown is doubtful


@pytest.mark.parametrize(
    ("auth", "name", "expected"),
    [
        (
            {"kind": "basic", "user": "${settings.token}", "password": "X"},
            "authorization",
            "Basic dG9rLWFjbWU6WA==",
        ),
        ({"kind": "bearer", "token": "${settings.token}"}, "authorization", "Bearer tok-acme"),
        ({"kind": "token", "headers": {"X-Key": "k=${settings.token}"}}, "x-key", "k=tok-acme"),
    ],
)
async def test_credentials(tmp_path: Path, auth: Any, name: str, expected: str) -> None:
    """Basic, bearer, or a header of the vendor's own; a name that proves them comes back."""
    vendor = Vendor({"name": "bot"})
    adapter = connect(tmp_path, acme(auth=auth, headers={"X-Version": "2"}), vendor)
    assert await adapter.check() == "bot"
    assert vendor.seen[0].headers[name] == expected
    assert vendor.seen[0].headers["x-version"] == "2"
    with pytest.raises(Fatal, match="whose credentials"):
        await connect(tmp_path, acme(auth=auth), Vendor({})).check()


async def test_every_request_is_signed_with_another_nonce(tmp_path: Path) -> None:
    """The parameters that come along are covered."""
    auth = {
        "kind": "signed",
        "query": {"who": "${settings.base_url}", "nonce": "${nonce}"},
        "signature": {
            "parameter": "sign",
            "method": "digest",
            "signed": "{query:who}&{secret}&{timestamp}&{query:nonce}",
            "timestamp_parameter": "time",
            "secret_field": "token",
        },
    }
    vendor = Vendor({"name": "bot"})
    adapter = connect(tmp_path, acme(auth=auth), vendor)
    for _ in range(2):
        await adapter.check()
    nonces = set()
    for request in vendor.seen:
        asked = request.url.params
        covered = f"https://acme.example/api&tok-acme&{asked['time']}&{asked['nonce']}"
        assert asked["sign"] == hashlib.sha256(covered.encode()).hexdigest()
        assert re.fullmatch("[0-9a-f]{32}", asked["nonce"])
        nonces.add(asked["nonce"])
    assert len(nonces) == 2
