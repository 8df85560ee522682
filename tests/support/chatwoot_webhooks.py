"""Chatwoot's webhooks: shaped as its serialisers shape them, signed as it signs them, sent when told to."""

import copy
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from support.fake_chatwoot import API, INCOMING, FakeChatwoot, Raw, Thread, iso
from vendors.post import Post

from adapters.vendors.chatwoot import adapter

FIXTURES = Path(adapter.__file__).with_name("fixtures")
SECRETS = {"account": "account-secret", "bot": "bot-secret", "inbox": "inbox-secret"}
_HEARD = {
    "account": frozenset(
        {
            "conversation_created",
            "conversation_updated",
            "conversation_status_changed",
            "message_created",
            "message_updated",
            "contact_created",
            "contact_updated",
        }
    ),
    "bot": frozenset({"message_created", "message_updated", "conversation_opened", "conversation_resolved"}),
}
_HEARD["inbox"] = _HEARD["account"] - {"contact_created", "contact_updated"}


def sample(event: str) -> Raw:
    """The fixture of an event."""
    payload: Raw = json.loads((FIXTURES / f"{event}.json").read_text(encoding="utf-8"))
    return payload


_CONVERSATION = sample("conversation_created")
_MESSAGE = sample("message_created")
_COPY = _MESSAGE["conversation"]["messages"][0]
_CONTACT = sample("contact_created")
_PUSHED_CONTACT = _CONVERSATION["meta"]["sender"]
_AGENT = sample("message_updated")["conversation"]["meta"]["assignee"]


def payload(
    chatwoot: FakeChatwoot, event: str, thread: Thread, message: Raw | None, changed: Raw | None
) -> Raw:
    """What Chatwoot sends for an event, as things stand now."""
    if event == "contact_created":
        return _contact(chatwoot, thread.contact) | {"event": event}
    if message is not None:
        return _message(chatwoot, thread, message) | {"event": event}
    body = _conversation(chatwoot, thread) | {"event": event}
    if changed is not None and event in _HEARD["account"]:
        body["changed_attributes"] = _changes(thread, changed)
    return body


def _contact(chatwoot: FakeChatwoot, contact: Raw) -> Raw:
    body = {name: contact.get(name, value) for name, value in _CONTACT.items() if name != "event"}
    return body | {"account": _account(chatwoot)}


def _pushed_contact(contact: Raw) -> Raw:
    person = {name: contact.get(name, value) for name, value in _PUSHED_CONTACT.items()}
    return person | {"type": "contact"}


def _conversation(chatwoot: FakeChatwoot, thread: Thread) -> Raw:
    body = copy.deepcopy(_CONVERSATION)
    del body["event"]
    body["contact_inbox"] |= {"contact_id": thread.contact["id"]}
    # Only the latest message that the customer can see rides along, whatever the event is about.
    spoken = [each for each in thread.messages if not each["private"]][-1:]
    moments = dict.fromkeys(("created_at", "last_activity_at", "timestamp"), int(thread.updated_at))
    return (
        body
        | moments
        | {
            "id": thread.number,
            "messages": [_pushed(chatwoot, thread, each) for each in spoken],
            "labels": thread.labels,
            "custom_attributes": thread.custom_attributes,
            "meta": body["meta"]
            | {
                "sender": _pushed_contact(thread.contact),
                "assignee": thread.assignee and _AGENT | thread.assignee,
                "assignee_type": thread.assignee and "User",
            },
            "status": thread.status,
            "waiting_since": thread.waiting_since,
            "updated_at": thread.updated_at,
            "inbox_id": thread.inbox,
            "channel": "Channel::Api" if thread.inbox == API else body["channel"],
            "additional_attributes": thread.additional_attributes or body["additional_attributes"],
        }
    )


def _pushed(chatwoot: FakeChatwoot, thread: Thread, message: Raw) -> Raw:
    """A message inside its conversation: its type is a number, its sender says what they are."""
    sender = message["sender"]
    from_contact = message["message_type"] == INCOMING
    types = {"user": "User", "agent_bot": "AgentBot"}
    return (
        _COPY
        | {name: value for name, value in message.items() if name in _COPY}
        | {
            "account_id": chatwoot.account,
            "conversation_id": thread.number,
            "processed_message_content": message["content"],
            "sender_type": types.get(sender.get("type"), "Contact"),
            "sender_id": sender["id"],
            "sender": _pushed_contact(sender) if from_contact else _AGENT | sender,
        }
    )


def _message(chatwoot: FakeChatwoot, thread: Thread, message: Raw) -> Raw:
    """A message on top: its type is a word, its time ISO, and a contact doesn't say what it is."""
    sender = message["sender"]
    incoming = message["message_type"] == INCOMING
    return _MESSAGE | {
        "account": _account(chatwoot),
        "id": message["id"],
        "content": message["content"],
        "content_attributes": message["content_attributes"],
        "conversation": _conversation(chatwoot, thread),
        "created_at": message["updated_at"],
        "message_type": "incoming" if incoming else "outgoing",
        "private": message["private"],
        "sender": _contact(chatwoot, sender) if incoming else sender,
        **({"attachments": message["attachments"]} if "attachments" in message else {}),
    }


def _account(chatwoot: FakeChatwoot) -> Raw:
    return {"id": chatwoot.account, "name": "Clearsail 晴帆"}


def _changes(thread: Thread, before: Raw) -> list[Raw]:
    names = {"assignee": "assignee_id", "labels": "label_list"}
    changes = [
        {
            names.get(name, name): {
                "previous_value": _plain(old),
                "current_value": _plain(getattr(thread, name)),
            }
        }
        for name, old in before.items()
    ]
    return [*changes, {"updated_at": {"previous_value": None, "current_value": iso(thread.updated_at)}}]


def _plain(value: Any) -> Any:
    return value.get("id", value) if isinstance(value, dict) else value


def signed(body: bytes, secret: str | None, *, at: float | None = None, delivery: str | None = None) -> Raw:
    """The headers of a delivery; without a secret those of older releases, which neither sign nor number."""
    headers = {"content-type": "application/json"}
    if secret is None:
        return headers
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return headers | {
        "X-Chatwoot-Signature": f"sha256={digest}",
        "X-Chatwoot-Timestamp": stamp,
        "X-Chatwoot-Delivery": delivery or str(uuid.uuid4()),
    }


class Courier(Post):
    """Delivers webhooks one after the other, once each: Chatwoot doesn't retry account webhooks."""

    def __init__(self, url: str, hooks: Sequence[str], *, signs: bool = True) -> None:
        super().__init__(url, partial(signed, secret=None))
        self.hooks = hooks
        self._signs = signs

    def pack(self, event: str, body: Raw) -> None:
        """Send an event to every hook that has subscribed to it."""
        encoded = json.dumps(body, ensure_ascii=False).encode()
        inbox = (body.get("conversation") or body).get("inbox_id")
        for hook in self.hooks:
            if event in _HEARD[hook] and (hook != "inbox" or inbox == API):
                secret = SECRETS[hook] if self._signs else None
                self.send(encoded, event=event, sign=partial(signed, secret=secret))
