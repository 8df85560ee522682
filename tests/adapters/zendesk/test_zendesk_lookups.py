"""What is found at Zendesk and exported from it; every request is judged by its own description."""

from datetime import UTC, datetime, timedelta

from vendors.zendesk import AGENT, CUSTOMER, STARTED, FakeZendesk, Raw, user
from zendesk_said import BASE, ai, last

from adapters import registry
from adapters.contract import Adapter
from adapters.model import (
    Author,
    ConversationChanged,
    CustomerChanged,
    CustomerRecord,
    FindCustomer,
    FindMessage,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Page,
    Person,
    PullKind,
)
from adapters.testing.judge import Judge
from adapters.vendors.zendesk.events import FIRST_COMMENT


def asked(ticket: Raw, token: str = "cmd-1", text: str = "您好！", *, private: bool = False) -> FindMessage:
    """Whether that reply is there."""
    return FindMessage(
        conversation_id=str(ticket["id"]), token=token, text=text, private=private, since=STARTED
    )


async def test_our_comment_is_found_by_its_key(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """Also behind a page of later ones; another's same words are not ours."""
    pushed = await adapter.push(ai(ticket))
    for number in range(4):
        zendesk.comment(ticket, {"body": f"later {number}"}, actor=AGENT)
    found = await adapter.find(asked(ticket))
    assert isinstance(found, MessageRecord)
    assert (found.id, found.token, found.author) == (pushed.id, "cmd-1", Author.AI)
    assert await adapter.find(asked(ticket, token="cmd-2")) is None


async def test_our_comment_is_found_by_its_words(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """Should the list not tell what the audit holds; a note is no reply."""
    pushed = await adapter.push(ai(ticket))
    last(zendesk, ticket)["metadata"] = {"system": {}}
    found = await adapter.find(asked(ticket))
    assert isinstance(found, MessageRecord)
    assert found.id == pushed.id
    assert await adapter.find(asked(ticket, private=True)) is None


async def test_any_comment_is_found(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """By its number, on whatever page; and a ticket's first, whose number its creation didn't tell."""
    for number in range(5):
        zendesk.comment(ticket, {"body": f"m{number}"}, actor=AGENT)
    first, *_, latest = zendesk.comments[ticket["id"]]
    for wanted, expected in (
        (FIRST_COMMENT, first),
        (str(first["id"]), first),
        (str(latest["id"]), latest),
    ):
        found = await adapter.find(GetMessage(conversation_id=str(ticket["id"]), message_id=wanted))
        assert isinstance(found, MessageRecord)
        assert found.text == expected["body"]
    for missing in ("1", "99999999", "x"):
        query = GetMessage(conversation_id=str(ticket["id"]), message_id=missing)
        assert await adapter.find(query) is None


async def test_customers_are_found_by_any_address(adapter: Adapter, zendesk: FakeZendesk) -> None:
    """Exactly, although Zendesk also finds parts; with what is proven; agents are none."""
    zendesk.users[CUSTOMER] |= {"phone": "+886912345678", "verified": True}
    for kind, value in (
        (IdentityKind.VENDOR, str(CUSTOMER)),
        (IdentityKind.EMAIL, "Chen.Yating@example.com"),
        (IdentityKind.PHONE, "+886912345678"),
        (IdentityKind.EXTERNAL, "SHOP-88213"),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert found.id == str(CUSTOMER)
        assert Identity(IdentityKind.EMAIL, "chen.yating@example.com", verified=True) in found.identities
    for kind, value in (
        (IdentityKind.VENDOR, "1"),
        (IdentityKind.VENDOR, "me"),
        (IdentityKind.EMAIL, "yating@example.com"),
        (IdentityKind.EMAIL, "lin.wei@example.com"),
        (IdentityKind.PHONE, '"'),
    ):
        assert await adapter.find(FindCustomer(identity=Identity(kind, value))) is None


async def walk(
    adapter: Adapter, kind: PullKind, cursor: str | None = None, scope: str | None = None
) -> list[Page]:
    """All pages from a cursor to the last."""
    pages: list[Page] = []
    while not pages or not pages[-1].last:
        pages.append(await adapter.pull(kind, cursor, scope=scope))
        cursor = pages[-1].cursor
    return pages


def tickets_of(pages: list[Page]) -> list[str]:
    """The tickets that pages tell of."""
    changes = [change for page in pages for change in page.changes]
    return [change.conversation.id for change in changes if isinstance(change, ConversationChanged)]


async def test_tickets_are_exported_and_then_caught_up(
    adapter: Adapter, zendesk: FakeZendesk, judge: Judge
) -> None:
    """From the beginning, later pages by their cursor alone; afterwards only what has changed."""
    made = [zendesk.new_ticket(CUSTOMER, f"t{number}") for number in range(7)]
    pages = await walk(adapter, PullKind.CONVERSATIONS)
    assert tickets_of(pages) == [str(each["id"]) for each in made]
    assert [dict(each.url.params) for each in judge.seen] == [
        {"start_time": "0"},
        {"cursor": "after-6"},
        {"cursor": "after-9"},
    ]
    zendesk.change(made[2], {"status": "open"}, actor=AGENT)
    later = await walk(adapter, PullKind.CONVERSATIONS, pages[-1].cursor)
    assert tickets_of(later) == [str(made[2]["id"])]
    assert tickets_of(await walk(adapter, PullKind.CONVERSATIONS, later[-1].cursor)) == []


async def test_customers_are_exported(adapter: Adapter, zendesk: FakeZendesk) -> None:
    """Without the staff, and without those who were deleted or merged into others."""
    zendesk.add_user(user(4500, "李家豪", active=False))
    zendesk.add_user(user(4501, "陳大文"))
    pages = await walk(adapter, PullKind.CUSTOMERS)
    changes = [change for page in pages for change in page.changes]
    assert [c.customer.name for c in changes if isinstance(c, CustomerChanged)] == ["陳雅婷", "陳大文"]


async def test_comments_are_walked_and_then_caught_up(
    adapter: Adapter, zendesk: FakeZendesk, ticket: Raw
) -> None:
    """Oldest first, with who wrote them; from the last cursor only what came since."""
    for number in range(6):
        zendesk.comment(ticket, {"body": f"m{number}"}, actor=AGENT)
    pages = await walk(adapter, PullKind.MESSAGES, scope=str(ticket["id"]))
    said = [c.message for page in pages for c in page.changes if isinstance(c, MessagePosted)]
    assert [each.text for each in said] == ["我的包裹呢？", *(f"m{number}" for number in range(6))]
    assert {each.author for each in said} == {Author.CUSTOMER, Author.AGENT}
    assert said[1].person == Person(str(AGENT), "Lin Wei")
    cursor = pages[-1].cursor
    (empty,) = await walk(adapter, PullKind.MESSAGES, cursor, str(ticket["id"]))
    assert (empty.changes, empty.cursor) == ((), cursor)
    zendesk.comment(ticket, {"body": "m6"}, actor=AGENT)
    (more,) = await walk(adapter, PullKind.MESSAGES, cursor, str(ticket["id"]))
    assert [c.message.text for c in more.changes if isinstance(c, MessagePosted)] == ["m6"]


async def test_an_export_never_asks_for_the_latest_minute(zendesk: FakeZendesk) -> None:
    """Zendesk refuses a start that is so young; ours is as old as can be."""
    zendesk.clock = lambda: datetime.fromtimestamp(0, UTC) + timedelta(minutes=1)
    adapter = registry.build("zendesk", BASE, transport=zendesk)
    assert (await adapter.pull(PullKind.CONVERSATIONS, None)).last
