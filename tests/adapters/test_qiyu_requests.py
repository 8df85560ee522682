"""Every request we send to Qiyu, judged by what its documentation shows: nobody publishes a description."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from judged import judging
from msgspec import UNSET
from vendors.qiyu import KEY, SECRET, FakeQiyu, Staff

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import AdapterError, Fatal, Rejected, Retryable, Unsupported
from adapters.model import (
    Author,
    HandOver,
    Identity,
    IdentityKind,
    Note,
    OpenConversation,
    Pushed,
    Reception,
    Reply,
    UpdateCustomer,
)
from adapters.testing.judge import Judge
from adapters.vendors.qiyu import adapter as module

DESCRIPTION = Path(module.__file__).with_name("fixtures") / "description.yaml"
UID = "shop-88213"


@pytest.fixture
def qiyu() -> FakeQiyu:
    """The other side."""
    return FakeQiyu()


@pytest.fixture
def judge(qiyu: FakeQiyu) -> Iterator[Judge]:
    """What the documentation shows, between us and it."""
    with judging(DESCRIPTION, qiyu) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    adapter = connect(judge)
    yield adapter
    await adapter.aclose()


def connect(transport: httpx.AsyncBaseTransport, **changed: Any) -> Adapter:
    """The adapter, before this vendor."""
    return registry.build("qiyu", {"app_key": KEY, "app_secret": SECRET, **changed}, transport=transport)


def relay(text: str, **more: Any) -> Reply:
    """What the customer said elsewhere."""
    return Reply(key="cmd-1", conversation_id=UID, text=text, author=Author.CUSTOMER, **more)


def hand_over(**more: Any) -> HandOver:
    """A wish for a person."""
    return HandOver(
        key="cmd-2",
        conversation_id=UID,
        summary="要求退款，机器人三次未能解决",
        url="https://bridge.example/h/7",
        **more,
    )


def upload(name: str, content_type: str, data: bytes) -> Upload:
    """A spooled file."""
    return Upload(name=name, content_type=content_type, size=len(data), file=io.BytesIO(data))


async def test_the_customers_words_are_said_in_their_name(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """As a text, letter by letter; the checksum was right, or it would not have arrived."""
    await adapter.push(relay("我的包裹📦卡在海關三天了"))
    assert qiyu.visitors[UID].said == [("TEXT", "我的包裹📦卡在海關三天了")]


async def test_long_words_arrive_in_pieces(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Four thousand characters at most, cut between words, nothing lost."""
    text = " ".join(f"word{number}" for number in range(1500))
    await adapter.push(relay(text))
    said = [content for _, content in qiyu.visitors[UID].said]
    assert " ".join(said) == text
    assert len(said) == 4
    assert max(map(len, said)) <= 4000


async def test_pictures_and_files(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """A picture is uploaded and shown, another file linked; the checksum covers the file alone."""
    picture, document = b"\x89PNG\r\n\x1a\n--\r\n \x00\xff" * 50, b"%PDF-1.7 \x00"
    files = (upload("收據.png", "image/png", picture), upload("a.pdf", "application/pdf", document))
    await adapter.push(relay("请看"), files)
    assert list(qiyu.files.values()) == [picture, document]
    text, shown, linked = qiyu.visitors[UID].said
    assert text == ("TEXT", "请看")
    assert shown[0] == "PICTURE"
    assert shown[1]["md5"] == hashlib.md5(picture).hexdigest()
    assert shown[1]["size"] == len(picture)
    assert shown[1]["url"] in qiyu.files
    assert linked[0] == "TEXT"
    assert linked[1].startswith("a.pdf\nhttps://files.example/")


async def test_a_file_that_is_too_large_is_rejected_before_anything_is_said(
    adapter: Adapter, qiyu: FakeQiyu
) -> None:
    """Five megabytes are the most."""
    with pytest.raises(Rejected, match="5242880"):
        await adapter.push(relay("请看"), (upload("a.png", "image/png", b"x" * (5 * 1024 * 1024 + 1)),))
    assert qiyu.log == []


@pytest.mark.parametrize("author", [Author.AI, Author.AGENT])
async def test_nobody_else_can_speak_there(adapter: Adapter, qiyu: FakeQiyu, author: Author) -> None:
    """What the AI or an agent of the house says would appear as the customer's own words."""
    with pytest.raises(Unsupported):
        await adapter.push(Reply(key="k", conversation_id=UID, text="x", author=author))
    with pytest.raises(Unsupported):
        await adapter.push(Note(key="k", conversation_id=UID, text="x"))
    assert qiyu.log == []


async def test_a_person_takes_the_conversation(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """They see the summary and the way to the rest beside it."""
    pushed = await adapter.push(hand_over())
    assert (pushed.reception, pushed.position) == (Reception.ACCEPTED, None)
    visitor = qiyu.visitors[UID]
    assert visitor.staff is qiyu.people[0]
    assert visitor.profile["deskbridge_summary"] == {
        "key": "deskbridge_summary",
        "index": 0,
        "label": "转接摘要",
        "value": "要求退款，机器人三次未能解决",
        "href": "https://bridge.example/h/7",
    }


@pytest.mark.parametrize(
    ("wanted", "settings", "who"),
    [
        ({"to": "77"}, {}, 2055),
        ({"assignee_id": "2055"}, {}, 2055),
        ({"to": "77", "assignee_id": "2041"}, {}, 2041),
        ({}, {"group_id": 77}, 2055),
        ({"to": "1"}, {"group_id": 77}, 2041),
        ({}, {}, 2041),
    ],
)
async def test_who_is_asked_for(
    judge: Judge, qiyu: FakeQiyu, wanted: dict[str, str], settings: dict[str, int], who: int
) -> None:
    """A person by name, before a group, before the group of the settings, before anybody."""
    await connect(judge, **settings).push(hand_over(**wanted))
    staff = qiyu.visitors[UID].staff
    assert staff is not None
    assert staff.number == who


async def test_a_queue_an_empty_desk_and_a_closed_one(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Asked again, one keeps one's place; the position is counted from one."""
    qiyu.people = [Staff(2041, "林微", room=0)]
    for uid, position in (("a", 1), ("b", 2), ("a", 1)):
        pushed = await adapter.push(HandOver(key="k", conversation_id=uid, summary="s"))
        assert (pushed.reception, pushed.position) == (Reception.QUEUED, position)
    qiyu.people[0].online = False
    pushed = await adapter.push(hand_over())
    assert (pushed.reception, pushed.raw["code"]) == (Reception.NOBODY, 14005)
    assert "deskbridge_summary" in qiyu.visitors[UID].profile  # whoever reads the message box sees it
    qiyu.box = False
    pushed = await adapter.push(HandOver(key="k", conversation_id="c", summary="s"))
    assert (pushed.reception, pushed.raw["code"]) == (Reception.NOBODY, 14010)
    assert qiyu.visitors["c"].profile == {}


@pytest.mark.parametrize(
    ("answer", "reception", "position"),
    [
        ({"code": 14008, "count": 4}, Reception.QUEUED, 5),
        ({"code": "14006", "count": 0}, Reception.QUEUED, 1),
        ({"code": 14006}, Reception.QUEUED, None),
        ({"code": 200, "staffType": 0, "sessionId": 1}, Reception.NOBODY, None),
        ({"code": 200, "staffType": 0, "evaluationModel": {"type": 2}}, Reception.ACCEPTED, None),
        ({"code": 200}, Reception.ACCEPTED, None),
    ],
)
async def test_what_the_sources_say_differently(
    adapter: Adapter, qiyu: FakeQiyu, answer: dict[str, Any], reception: Reception, position: int | None
) -> None:
    """The vendor's Java client has 14008 for the queue; the printed sample has a robot's type."""
    qiyu.fails = answer
    pushed = await adapter.push(hand_over())
    assert (pushed.reception, pushed.position) == (reception, position)


async def test_the_printed_answer(reference: Path, adapter: Adapter, qiyu: FakeQiyu) -> None:
    """The sample of the documentation is a person's session."""
    sample = (reference / "recorded" / "qiyu" / "resp.event.applyStaff.json").read_text(encoding="utf-8")
    qiyu.fails = json.loads(sample)
    pushed = await adapter.push(hand_over())
    assert (pushed.reception, pushed.raw["sessionId"]) == (Reception.ACCEPTED, 62927)


async def test_the_printed_requests_are_as_described(reference: Path) -> None:
    """Our own description of the interface allows what the documentation prints."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200, json={"code": 200})

    judge = Judge(DESCRIPTION, httpx.MockTransport(answer))
    adapter = connect(judge)
    for path in sorted((reference / "recorded" / "qiyu").glob("req.*.json")):
        where = "/openapi/" + "/".join(path.name.split(".")[1:3])
        headers = {"Content-Type": "application/json;charset=utf-8"}
        await adapter.call("POST", where, content=path.read_bytes(), headers=headers)
    assert judge.faults == []
    assert len(seen) == 3


async def test_a_conversation_is_opened_in_a_proven_customers_name(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Who they are to the company they are to Qiyu; what they said comes first."""
    command = OpenConversation(
        key="cmd-3",
        subject="包裹卡在海关",
        text="请帮我查一下",
        customer_name="陳雅婷",
        identities=(
            Identity(IdentityKind.EXTERNAL, "claimed-1"),
            Identity(IdentityKind.EXTERNAL, UID, verified=True),
            Identity(IdentityKind.PHONE, "+886912345678"),
            Identity(IdentityKind.EMAIL, "chen@example.com"),
        ),
        tags=("after-sales", "vip"),
    )
    pushed = await adapter.push(command)
    assert (pushed.id, pushed.reception) == (UID, Reception.ACCEPTED)
    visitor = qiyu.visitors[UID]
    assert visitor.said == [("TEXT", "请帮我查一下")]
    assert {key: item["value"] for key, item in visitor.profile.items()} == {
        "real_name": "陳雅婷",
        "mobile_phone": "+886912345678",
        "email": "chen@example.com",
        "deskbridge_subject": "包裹卡在海关",
        "deskbridge_tags": "after-sales，vip",
    }


async def test_who_only_claims_an_id_is_a_stranger(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Or else the staff would see another person's orders; what is private is never said."""
    command = OpenConversation(
        key="cmd-3",
        subject="",
        text="summary for agents",
        identities=(Identity(IdentityKind.EXTERNAL, UID),),
        private=True,
    )
    pushed = await adapter.push(command)
    assert pushed.id == "deskbridge-cmd-3"
    visitor = qiyu.visitors["deskbridge-cmd-3"]
    assert visitor.said == []
    assert visitor.profile["deskbridge_summary"]["value"] == "summary for agents"


async def test_nothing_is_opened_at_a_closed_desk(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Nobody is there, and no message can be left."""
    qiyu.people, qiyu.box = [], False
    pushed = await adapter.push(OpenConversation(key="cmd-3", subject="s", text="t"))
    assert (pushed.id, pushed.reception) == (None, Reception.NOBODY)
    assert [path for path, _ in qiyu.log] == ["/openapi/event/applyStaff"]


async def test_the_profile(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Known items as they are called there, others labelled, addresses linked, what is taken away emptied."""
    attributes = {
        "mobile_phone": "13800000000",
        "member_level": "gold",
        "orders": 3,
        "page": "https://shop.example.com/u/1",
        "gone": None,
    }
    await adapter.push(UpdateCustomer(key="k", customer_id=UID, name="陳雅婷", attributes=attributes))
    assert list(qiyu.visitors[UID].profile.values()) == [
        {"key": "real_name", "value": "陳雅婷"},
        {"key": "mobile_phone", "value": "13800000000"},
        {"key": "member_level", "value": "gold", "index": 2, "label": "member_level"},
        {"key": "orders", "value": "3", "index": 3, "label": "orders"},
        {
            "key": "page",
            "value": "https://shop.example.com/u/1",
            "index": 4,
            "label": "page",
            "href": "https://shop.example.com/u/1",
        },
        {"key": "gone", "value": "", "index": 5, "label": "gone"},
    ]
    qiyu.log.clear()
    assert await adapter.push(UpdateCustomer(key="k", customer_id=UID, name=UNSET)) == Pushed(id=UID)
    assert qiyu.log == []


async def test_the_check_changes_nothing(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Somebody who never asked for anybody is good enough to prove the checksum."""
    assert await adapter.check() == "app key 0a1b2c3d… at https://qiyukf.com"
    assert [path for path, _ in qiyu.log] == ["/openapi/event/queryQueueStatus"]


@pytest.mark.parametrize("wrong", [{"app_key": "another"}, {"app_secret": "another"}])
async def test_wrong_credentials_are_fatal(judge: Judge, wrong: dict[str, str]) -> None:
    """14001 and 14002, with status 200."""
    with pytest.raises(Fatal, match=r"1400[12]"):
        await connect(judge, **wrong).check()


@pytest.mark.parametrize(
    ("code", "kind", "unknown"),
    [
        (14003, Fatal, False),
        (14008, Fatal, False),
        (14515, Fatal, False),
        (14009, Retryable, False),
        (14500, Retryable, True),
        (14004, Rejected, False),
        (14005, Rejected, False),
        (14007, Rejected, False),
        (14010, Rejected, False),
        (14501, Rejected, False),
        (14999, Rejected, False),
        ("", Retryable, True),
        (None, Retryable, True),
        (True, Retryable, True),
    ],
)
async def test_codes_are_sorted(
    adapter: Adapter,
    qiyu: FakeQiyu,
    code: Any,
    kind: type[AdapterError],
    unknown: bool,  # noqa: FBT001
) -> None:
    """By what the engine does next; whatever the status says."""
    qiyu.fails = {"code": code, "message": "不行"}
    with pytest.raises(kind) as caught:
        await adapter.push(relay("x"))
    assert type(caught.value) is kind
    if isinstance(caught.value, Retryable):
        assert caught.value.outcome_unknown is unknown
    if code == 14009:
        assert caught.value.retry_after == timedelta(seconds=1)  # type: ignore[attr-defined]


async def test_a_question_that_failed_left_nothing_open(adapter: Adapter, qiyu: FakeQiyu) -> None:
    """Asking for the place in a queue changes nothing."""
    qiyu.fails = {"code": 14500}
    with pytest.raises(Retryable) as caught:
        await adapter.check()
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("wanted", [{"to": "after-sales"}, {"assignee_id": "林微"}])
async def test_groups_and_people_are_numbers(
    adapter: Adapter, qiyu: FakeQiyu, wanted: dict[str, str]
) -> None:
    """A name is rejected before anything is asked."""
    with pytest.raises(Rejected, match="no number"):
        await adapter.push(hand_over(**wanted))
    assert qiyu.log == []
