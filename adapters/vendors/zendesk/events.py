"""What each of Zendesk's webhooks means, and where it belongs (webhooks subscribed to events)."""

import re
from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from adapters.errors import Malformed
from adapters.model import (
    Author,
    Change,
    ConversationChanged,
    ConversationDeleted,
    ConversationRecord,
    CustomerDeleted,
    CustomerRecord,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Raw,
    Status,
    ThinEvent,
)
from adapters.reading import rows, table, words
from adapters.times import moment
from adapters.vendors.zendesk import mapping
from adapters.vendors.zendesk.mapping import Account, ident

FIRST_COMMENT = "first"
"""A ticket's first comment, whose id its creation does not tell."""

# Both separators stand on one page of the vendor's: zen:event-type:user.created, zen:event-type/user.merged.
_TYPE = re.compile(r"zen:event-type[:/](?P<about>\w+)\.(?P<what>\w+)")
_SUBJECT = re.compile(r"zen:\w+:(\d+)")

_DELETED = frozenset({"permanently_deleted", "soft_deleted"})
COMMENT_EVENTS = frozenset(
    {
        "attachment_linked_to_comment",
        "attachment_redacted_from_comment",
        "comment_added",
        "comment_made_private",
        "comment_redacted",
    }
)
TICKET_EVENTS = frozenset(
    {
        "agent_assignment_changed",
        "created",
        "custom_field_changed",
        "group_assignment_changed",
        "marked_as_spam",
        "merged",
        "permanently_deleted",
        "requester_changed",
        "soft_deleted",
        "status_changed",
        "subject_changed",
        "tags_changed",
        "undeleted",
    }
)
USER_EVENTS = frozenset(
    {
        "active_changed",
        "created",
        "custom_field_changed",
        "details_changed",
        "external_id_changed",
        "identity_changed",
        "identity_created",
        "identity_deleted",
        "merged",
        "name_changed",
    }
)
_KNOWN = {"ticket": COMMENT_EVENTS | TICKET_EVENTS, "user": USER_EVENTS}
_SURVIVORS = ("target_user_id", "winner_id", "target_user", "winner")
_GONE = ("merged_user_id", "loser_id", "source_user_id", "merged_user", "loser", "source_user")


def lane(event: Raw) -> str | None:
    """The ticket or user that an event belongs to; `None` for those that are not for us."""
    about, what = _kind(event)
    if what not in _KNOWN.get(about, ()):
        return None
    number = _number(event)
    return number if about == "ticket" else f"customer:{number}"


def changes(event: Raw, account: Account) -> tuple[Change, ...]:
    """What an event tells of; nothing for those that are not for us."""
    if lane(event) is None:
        return ()
    about, what = _kind(event)
    detail = event["detail"]
    at = moment(event.get("time")) or moment(detail.get("updated_at"))
    if at is None:
        raise ValueError("an event without a time")
    if about == "user":
        return _of_user(what, event, at)
    if what in _DELETED or mapping.is_deleted(detail):
        return (ConversationDeleted(conversation_id=_number(event), occurred_at=at),)
    by = _actor(detail, account)
    if what in COMMENT_EVENTS:
        return (_of_comment(what, event, account, at),)
    if what == "custom_field_changed":  # it tells of one field, and records hold all
        return (ThinEvent(query=FindConversation(conversation_id=_number(event)), occurred_at=at, by=by),)
    changed = ConversationChanged(
        conversation=mapping.conversation(detail, account),
        customer=_requester(detail),
        occurred_at=at,
        by=by,
    )
    return (changed, *_to_look_up(what, event, at))


def _kind(event: Raw) -> tuple[str, str]:
    told = event.get("type")
    if not isinstance(told, str):
        raise Malformed("the body is no event: subscribe the webhook to events, and connect no trigger to it")
    found = _TYPE.fullmatch(told)
    return (found["about"], found["what"]) if found else ("", "")


def _number(event: Raw) -> str:
    subject = _SUBJECT.fullmatch(str(event.get("subject")))
    number = ident(table(event.get("detail")).get("id")) or (subject[1] if subject else None)
    if number is None:
        raise Malformed("the event names nothing that it is about")
    return number


def _actor(detail: Raw, account: Account) -> Author:
    """Who caused an event: only the requester among customers can be told from the staff by their id."""
    actor = str(detail.get("actor_id") or "")
    if not actor:
        return Author.UNKNOWN
    is_requester = actor == str(detail.get("requester_id"))
    return mapping.author(actor, account, is_staff=not is_requester)


def _requester(detail: Raw, name: str | None = None) -> CustomerRecord | None:
    number = ident(detail.get("requester_id"))
    return mapping.customer({"id": number, "name": name}) if number else None


def _to_look_up(what: str, event: Raw, at: datetime) -> tuple[ThinEvent, ...]:
    """What a ticket's event leaves unsaid: the first comment's id, and who the requester is."""
    number, requester = _number(event), ident(event["detail"].get("requester_id"))
    found = []
    if what == "created":
        query = GetMessage(conversation_id=number, message_id=FIRST_COMMENT)
        found.append(ThinEvent(query=query, occurred_at=at))
    if what in {"created", "requester_changed"} and requester:
        found.append(_look_at(requester, at))
    return tuple(found)


def _look_at(user: str, at: datetime) -> ThinEvent:
    return ThinEvent(query=FindCustomer(identity=Identity(IdentityKind.VENDOR, user)), occurred_at=at)


def _of_comment(what: str, event: Raw, account: Account, at: datetime) -> Change:
    detail, comment = event["detail"], event["event"]["comment"]
    if what != "comment_added":
        query = GetMessage(conversation_id=_number(event), message_id=str(comment["id"]))
        return ThinEvent(query=query, occurred_at=at)
    writer = comment.get("author") or {}
    message = _message(comment, writer, account, moment(detail.get("updated_at")) or at)
    author_id = ident(writer.get("id"))
    is_requester = author_id is not None and author_id == ident(detail.get("requester_id"))
    return MessagePosted(
        message=message,
        conversation=_told_with(message, mapping.conversation(detail, account)),
        customer=_requester(detail, writer.get("name") if is_requester else None),
        occurred_at=at,
    )


def _told_with(message: MessageRecord, ticket: ConversationRecord) -> ConversationRecord:
    """A customer's reply opens what was pending: that is told by another event, with who did it."""
    is_by_staff = message.author is Author.AGENT
    return ticket if is_by_staff or ticket.status is not Status.OPEN else replace(ticket, status=UNSET)


def _message(comment: Raw, writer: Raw, account: Account, sent_at: datetime) -> MessageRecord:
    """A comment bears no time of its own; its ticket was last changed by it."""
    number = ident(writer.get("id"))
    who = mapping.author(number, account, is_staff=writer.get("is_staff"))
    return MessageRecord(
        id=str(comment["id"]),
        author=who,
        text=words(comment.get("body")),
        sent_at=sent_at,
        person=mapping.person(number, writer.get("name")) if who is Author.AGENT else None,
        private=comment.get("is_public") is not True,
        attachments=mapping.attachments(rows(comment.get("attachments"))),
        raw=comment,
    )


def _of_user(what: str, event: Raw, at: datetime) -> tuple[Change, ...]:
    """Events tell of users little more than that they changed."""
    number, detail = _number(event), event["detail"]
    if not mapping.is_customer(detail):
        return ()
    told = table(event.get("event"))
    if what == "active_changed" and told.get("current") is False:
        return (CustomerDeleted(customer_id=number, occurred_at=at),)
    if what != "merged":
        return (_look_at(number, at),)
    survivor = _named(told, _SURVIVORS) or number
    gone = _named(told, _GONE) or number
    if gone == survivor:  # which of two went is not told in words that we know
        return (_look_at(number, at),)
    merged = CustomersMerged(customer=CustomerRecord(id=survivor), gone_id=gone, occurred_at=at)
    return merged, _look_at(survivor, at)


def _named(told: Raw, names: tuple[str, ...]) -> str | None:
    values = (told.get(name) for name in names)
    found = (value.get("id") if isinstance(value, dict) else value for value in values)
    return next((number for each in found if (number := ident(each))), None)
