"""Reading a vendor's objects by their description. Pure.

What is missing or of another kind than expected is "not mentioned"; only what makes a record a record
must be there.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import cel
from msgspec import UNSET, UnsetType

from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, Expression, facts
from adapters.errors import Malformed
from adapters.model import (
    Attachment,
    Author,
    Channel,
    ConversationRecord,
    CustomerRecord,
    Identity,
    IdentityKind,
    MessageRecord,
    Person,
    Raw,
    Status,
)
from adapters.times import moment

Word = TypeVar("Word", bound=StrEnum)
_KINDS = {"email": IdentityKind.EMAIL, "phone": IdentityKind.PHONE, "external": IdentityKind.EXTERNAL}
_TYPE = "application/octet-stream"


class Reader:
    """Reads records; `settings` are those that are no secrets."""

    def __init__(self, description: declared.Description, settings: Raw) -> None:
        self._description = description
        self._zone = ZoneInfo(description.times.zone)
        self.settings = settings
        self.authors = description.authors
        self.controls = description.controls

    def customer(self, raw: Any) -> CustomerRecord:
        """A customer. Raises Malformed."""
        how, it = self._description.records.customer, self._facts(raw)
        assert how is not None
        record_id = _required(how.id, it, "the customer's id")
        revision = _value(how.revision, it)
        return CustomerRecord(
            id=record_id,
            name=_text(how.name, it) or UNSET,
            identities=tuple(_identities(how.identities, it, record_id)),
            attributes=_attributes(how.attributes, it),
            language=_text(how.language, it) or UNSET,
            updated_at=self.time(how.updated_at, it) or UNSET,
            revision=revision if isinstance(revision, int) else UNSET,
            raw=raw,
        )

    def conversation(self, raw: Any) -> ConversationRecord:
        """A conversation. Raises Malformed."""
        how, it = self._description.records.conversation, self._facts(raw)
        assert how is not None
        return ConversationRecord(
            id=_required(how.id, it, "the conversation's id"),
            customer_id=_text(how.customer_id, it) or UNSET,
            channel=self._told(how.channel, it, Channel, self._description.channels),
            stream=_said(how.stream, it),
            status=self._told(how.status, it, Status, self._description.statuses),
            tags=_tags(how.tags, it),
            assignee=_assignee(how.assignee, it),
            subject=_said(how.subject, it),
            url=_text(how.url, it) or UNSET,
            attributes=_attributes(how.attributes, it),
            updated_at=self.time(how.updated_at, it) or UNSET,
            raw=raw,
        )

    def message(self, raw: Any, *, sent_at: datetime | None = None) -> MessageRecord:
        """A message; `sent_at` stands in for a time that it doesn't tell. Raises Malformed.

        Where the description names no time at all, it is the time of reading.
        """
        how, it = self._description.records.message, self._facts(raw)
        assert how is not None
        sent = self.time(how.sent_at, it) or sent_at or (None if how.sent_at else datetime.now(UTC))
        if sent is None:
            raise Malformed("the message tells no time at which it was sent")
        told = self._told(how.author, it, Author, self._description.authors)
        return MessageRecord(
            id=_required(how.id, it, "the message's id"),
            author=Author.UNKNOWN if told is UNSET else told,
            text=_text(how.text, it) or "",
            sent_at=sent,
            person=_person(how.person, it),
            private=_value(how.private, it) is True,
            token=_text(how.token, it) or None,
            attachments=tuple(self._attachments(how.attachments, it)),
            raw=raw,
        )

    def time(self, expression: Expression | None, context: cel.Context) -> datetime | None:
        """The time that an expression gives, if it is one."""
        return self.moment(_value(expression, context))

    def moment(self, value: Any) -> datetime | None:
        """A time as this vendor writes it; `None` if it is none."""
        if isinstance(value, datetime):
            return value
        try:
            return moment(value, unit=self._description.times.unit, zone=self._zone)
        except (TypeError, ValueError, OverflowError):
            return None

    def word(self, value: Any, ours: type[Word], words: Mapping[Any, Word]) -> Word:
        """The vendor's word as ours: by the table, or because it is one of ours; else unknown."""
        by_text = {_shown(theirs): our for theirs, our in words.items()}
        shown = _shown(value)
        if shown in by_text:
            return by_text[shown]
        return ours(shown) if shown in {each.value for each in ours} else ours("unknown")

    def _told(
        self, expression: Expression | None, it: cel.Context, ours: type[Word], words: Mapping[Any, Word]
    ) -> Word | UnsetType:
        value = _value(expression, it)
        return UNSET if value is None else self.word(value, ours, words)

    def _attachments(self, how: declared.Attachments | None, it: cel.Context) -> Iterable[Attachment]:
        listed = _value(how.each, it) if how is not None else None
        for raw in listed if isinstance(listed, list) else ():
            assert how is not None
            each = self._facts(raw if isinstance(raw, dict) else {"value": raw})
            name, url, size = _text(how.id, each), _text(how.url, each), _text(how.size, each) or ""
            if name and url:
                yield Attachment(
                    id=name,
                    url=url,
                    name=_text(how.name, each) or "",
                    content_type=_text(how.content_type, each) or _TYPE,
                    size=int(size) if size.isdecimal() else None,
                )

    def _facts(self, raw: Any) -> cel.Context:
        if not isinstance(raw, dict):
            raise Malformed("an object is expected where there is none")
        return facts(it=raw, settings=self.settings)


def _value(expression: Expression | None, it: cel.Context) -> Any:
    """What an expression gives; `None` where there is nothing."""
    found = expression.value(it) if expression is not None else None
    return None if found is ABSENT else found


def _mentioned(expression: Expression | None, it: cel.Context) -> Any:
    """What an expression gives, null included; ABSENT where the vendor says nothing of it."""
    return ABSENT if expression is None else expression.value(it)


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def text_of(value: Any) -> str | None:
    """A text or a number as a text; `None` of anything else."""
    return _shown(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _text(expression: Expression | None, it: cel.Context) -> str | None:
    return text_of(_value(expression, it))


def _said(expression: Expression | None, it: cel.Context) -> str | UnsetType:
    """A text, empty where the vendor says that there is none; not mentioned where it says nothing."""
    found = _mentioned(expression, it)
    told = text_of("" if found is None else found)
    return UNSET if told is None else told


def _required(expression: Expression, it: cel.Context, what: str) -> str:
    found = _text(expression, it)
    if not found or not found.strip():
        raise Malformed(f"{what} is missing: `{expression.source}` gives none")
    return found


def _attributes(expression: Expression | None, it: cel.Context) -> Raw | UnsetType:
    found = _mentioned(expression, it)
    if found is None:
        return {}
    return found if isinstance(found, dict) else UNSET


def _tags(expression: Expression | None, it: cel.Context) -> tuple[str, ...] | UnsetType:
    found = _mentioned(expression, it)
    if found is None:
        return ()
    if not isinstance(found, list):
        return UNSET
    return tuple(shown for shown in map(text_of, found) if shown)


def _identities(how: declared.Identities, it: cel.Context, record_id: str) -> Iterable[Identity]:
    yield Identity(IdentityKind.VENDOR, record_id)
    proven = _value(how.verified, it)
    for name, kind in _KINDS.items():
        for value in _listed(_value(getattr(how, name), it)):
            yield Identity(kind, value, isinstance(proven, list) and (value in proven or name in proven))


def _listed(value: Any) -> Iterable[str]:
    """One address, or several."""
    for each in value if isinstance(value, list) else (value,):
        shown = text_of(each)
        if shown:
            yield shown


def _person(how: declared.Person | None, it: cel.Context) -> Person | None:
    found = _text(how.id, it) if how is not None else None
    return Person(found, _text(how.name, it) or "") if how is not None and found else None


def _assignee(how: declared.Person | None, it: cel.Context) -> Person | UnsetType | None:
    """Nobody, if the vendor says so; not mentioned, if it doesn't."""
    if how is None:
        return UNSET
    if how.id.value(it) is ABSENT:
        return UNSET
    return _person(how, it)
