"""What a webhook means, by its description. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

import cel
import msgspec

from adapters import model
from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, Expression, facts
from adapters.declared.reading import Reader, text_of
from adapters.errors import BadSignature, Malformed, Unsupported
from adapters.model import Author, Control, Identity, IdentityKind
from adapters.webhook import Delivery, HookReply, Receipt, Webhook


def receive(hook: declared.Hook, reader: Reader, webhook: Webhook, payload: Any) -> Receipt:
    """The deliveries in a verified webhook, without those that mean nothing. Raises Malformed."""
    whole = _request(reader.settings, webhook, payload)
    shaken = hook.handshake.post
    if shaken is not None and shaken.when.holds(whole):
        return Receipt(deliveries=(), reply=_reply(shaken.reply, whole))
    deliveries = []
    for event, body in _events(hook, whole, payload, webhook.body):
        about = whole if hook.events is None else _request(reader.settings, webhook, event)
        lane = _lane(changes(hook, reader, event, about))
        if lane is None:
            continue
        named = None
        if hook.key is not None:
            named = text_of(hook.key.value(about))
        deliveries.append(Delivery(key=named or _digest(body), lane=lane, body=body))
    return Receipt(deliveries=tuple(deliveries), reply=_reply(hook.reply, whole))


def _events(hook: declared.Hook, whole: cel.Context, payload: Any, body: bytes) -> list[tuple[Any, bytes]]:
    """The events in a body, each with a body of its own."""
    if hook.events is None:
        return [(payload, body)]
    listed = hook.events.value(whole)
    # CEL forgets the order of names; sent again, an event must have the same body.
    events = listed if isinstance(listed, list) else []
    return [(each, msgspec.json.encode(each, order="sorted")) for each in events]


def greet(hook: declared.Hook, settings: Mapping[str, Any], webhook: Webhook, title: str) -> HookReply:
    """The answer to a handshake with GET; `settings` are all of them. Raises BadSignature, Unsupported."""
    shaken = hook.handshake.get
    if shaken is None or webhook.method != "GET":
        raise Unsupported(f"{title} sends its webhooks with POST, not {webhook.method}")
    whole = _request(settings, webhook, None)
    if not shaken.when.holds(whole):
        raise BadSignature("the handshake proves nothing")
    return _reply(shaken.reply, whole)


def changes(
    hook: declared.Hook, reader: Reader, event: Any, context: cel.Context | None = None
) -> list[model.Change]:
    """All changes that an event means; none if it isn't for us. `context` holds it. Raises Malformed."""
    told = context or facts(event=event, settings=reader.settings)
    return [
        _change(how, reader, each)
        for how in hook.changes
        for each in _contexts(how, reader, event, told)
        if how.when is None or how.when.holds(each)
    ]


def _contexts(
    how: declared.Change, reader: Reader, event: Any, context: cel.Context
) -> Iterator[cel.Context]:
    """What a change may read: the event, or the event and each of the things in it."""
    if how.each is None:
        yield context
        return
    listed = how.each.value(context)
    for it in listed if isinstance(listed, list) else ():
        yield facts(event=event, it=it, settings=reader.settings)


_Happening = (
    declared.ConversationDeleted
    | declared.CustomerDeleted
    | declared.MessageFailed
    | declared.ControlChanged
    | declared.ThinEvent
)
"""What tells of no whole record."""


def _change(how: declared.Change, reader: Reader, context: cel.Context) -> model.Change:
    at = reader.time(how.at, context)
    match how:
        case declared.MessagePosted():
            message = reader.message(_given(how.message, context), sent_at=at)
            return model.MessagePosted(
                message=message,
                conversation=reader.conversation(_given(how.conversation, context)),
                customer=_customer(how.customer, reader, context),
                occurred_at=at or message.sent_at,
            )
        case declared.ConversationChanged():
            conversation = reader.conversation(_given(how.conversation, context))
            return model.ConversationChanged(
                conversation=conversation,
                customer=_customer(how.customer, reader, context),
                occurred_at=at or conversation.updated_at or datetime.now(UTC),
                by=_by(how.by, reader, context),
            )
        case declared.CustomerChanged():
            customer = reader.customer(_given(how.customer, context))
            return model.CustomerChanged(
                customer=customer,
                occurred_at=at or customer.updated_at or datetime.now(UTC),
                by=_by(how.by, reader, context),
            )
        case declared.CustomersMerged():
            return model.CustomersMerged(
                customer=reader.customer(_given(how.customer, context)),
                gone_id=_name(how.gone_id, context),
                occurred_at=at or datetime.now(UTC),
            )
        case _:
            return _happened(how, reader, context, at or datetime.now(UTC))


def _happened(
    how: _Happening,
    reader: Reader,
    context: cel.Context,
    at: datetime,
) -> model.Change:
    match how:
        case declared.ConversationDeleted():
            return model.ConversationDeleted(
                conversation_id=_name(how.conversation_id, context), occurred_at=at
            )
        case declared.CustomerDeleted():
            return model.CustomerDeleted(customer_id=_name(how.customer_id, context), occurred_at=at)
        case declared.MessageFailed():
            return model.MessageFailed(
                conversation_id=_name(how.conversation_id, context),
                message_id=_text(how.message_id, context) or None,
                token=_text(how.token, context) or None,
                reason=_text(how.reason, context),
                temporary=how.temporary is not None and how.temporary.holds(context),
                occurred_at=at,
            )
        case declared.ControlChanged():
            return model.ControlChanged(
                conversation=reader.conversation(_given(how.conversation, context)),
                control=reader.word(how.control.value(context), Control, reader.controls),
                holder=_holder(how.holder, context),
                metadata=_object(how.metadata, context),
                customer=_customer(how.customer, reader, context),
                reason=_text(how.reason, context),
                occurred_at=at,
            )
        case declared.ThinEvent():
            by = _by(how.by, reader, context)
            return model.ThinEvent(query=_query(how, context), occurred_at=at, by=by)
        case _:
            assert_never(how)


def _query(how: declared.ThinEvent, context: cel.Context) -> model.Query:
    if how.customer_id is not None:
        return model.FindCustomer(identity=Identity(IdentityKind.VENDOR, _name(how.customer_id, context)))
    assert how.conversation_id is not None
    conversation_id = _name(how.conversation_id, context)
    if how.message_id is None:
        return model.FindConversation(conversation_id=conversation_id)
    return model.GetMessage(conversation_id=conversation_id, message_id=_name(how.message_id, context))


def _lane(found: list[model.Change]) -> str | None:
    """The one conversation or customer that an event is about."""
    lanes = {_about(change) for change in found}
    if len(lanes) > 1:
        raise Malformed("the event tells of several conversations: let `events` list them one by one")
    return lanes.pop() if lanes else None


def _about(change: model.Change) -> str:
    match change:
        case model.CustomerChanged() | model.CustomersMerged():
            return f"customer:{change.customer.id}"
        case model.MessagePosted() | model.ConversationChanged() | model.ControlChanged():
            return change.conversation.id
        case model.ThinEvent(query=model.FindCustomer(identity=identity)):
            return f"customer:{identity.value}"
        case model.ThinEvent(query=model.FindConversation() | model.GetMessage() as query):
            return query.conversation_id
        case model.MessageFailed() | model.ConversationDeleted():
            return change.conversation_id
        case model.CustomerDeleted():
            return f"customer:{change.customer_id}"
        case _:
            raise AssertionError(f"no description yields {change}")


def _request(settings: Mapping[str, Any], webhook: Webhook, event: Any) -> cel.Context:
    return facts(event=event, headers=dict(webhook.headers), query=dict(webhook.query), settings=settings)


def _reply(reply: declared.Reply, whole: cel.Context) -> HookReply:
    body = reply.body.text(whole).encode() if reply.body is not None else b""
    return HookReply(status=reply.status, body=body, content_type=reply.content_type)


def _digest(body: bytes) -> str:
    """A key for vendors without one: what is sent again has the same body."""
    return hashlib.sha256(body).hexdigest()[:40]


def _given(expression: Expression, context: cel.Context) -> Any:
    found = expression.value(context)
    if found is ABSENT:
        raise Malformed(f"`{expression.source}` gives nothing")
    return found


def _object(expression: Expression | None, context: cel.Context) -> model.Raw:
    found = expression.value(context) if expression is not None else None
    return found if isinstance(found, dict) else {}


def _holder(expression: Expression | None, context: cel.Context) -> model.Person | None:
    found = _object(expression, context)
    return model.Person(str(found["id"]), str(found.get("name") or "")) if found.get("id") else None


def _customer(
    expression: Expression | None, reader: Reader, context: cel.Context
) -> model.CustomerRecord | None:
    found = expression.value(context) if expression is not None else None
    return reader.customer(found) if isinstance(found, dict) else None


def _by(expression: Expression | None, reader: Reader, context: cel.Context) -> Author:
    if expression is None:
        return Author.UNKNOWN
    return reader.word(expression.value(context), Author, reader.authors)


def _text(expression: Expression | None, context: cel.Context) -> str:
    return (text_of(expression.value(context)) or "") if expression is not None else ""


def _name(expression: Expression, context: cel.Context) -> str:
    found = _text(expression, context)
    if not found:
        raise Malformed(f"`{expression.source}` names nothing")
    return found
