"""Zendesk's event webhooks, as it shapes and signs them: ids as texts, capitals, nanoseconds."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vendors.door import Door
from vendors.post import Post
from vendors.zendesk import AGENT, CUSTOMER, SETTINGS, FakeZendesk, Raw, stamp, user

# The API says `api`, an event `web_service`, and so on.
_CHANNELS = {"api": "web_service", "email": "mail", "web": "web_form"}
_SLASHED = frozenset({"user.merged", "user.identity_created", "user.identity_changed"})


class ZendeskAccount(FakeZendesk):
    """An account served over HTTP (`door`), whose customers and agents act; webhooks tell the hook of it.

    Use it as `async with serving(account.door, port), account.post: …`.
    """

    def __init__(self, hook: str) -> None:
        self.post = Post(hook, signed)
        self._is_up = False
        super().__init__()
        self.door = Door(self)
        self.clock = lambda: datetime.now(UTC)
        self._is_up = True

    def tell(self, event: str, about: Raw, what: Raw, *, actor: int) -> None:
        """Send a webhook."""
        if self._is_up:
            self.post.send(json.dumps(envelope(event, about, what, self.users, actor)).encode())

    def customer_says(
        self, text: str, ticket: Raw | None = None, *, name: str = "陳雅婷", file: str = ""
    ) -> Raw:
        """A customer writes, in a new ticket of a new customer unless said otherwise, perhaps with a file."""
        if ticket is None:
            number = CUSTOMER + len(self.users)
            self.add_user(user(number, name, email=f"c{number}@example.com"))
            ticket = self.new_ticket(number, text[:80])
        uploads = [self.lay_down(file, "image/png", b"\x89PNG")] if file else []
        self.comment(ticket, {"body": text, "uploads": uploads}, actor=ticket["requester_id"])
        return ticket

    def agent_says(self, ticket: Raw, text: str, *, agent: int = AGENT, private: bool = False) -> Raw:
        """An agent writes in Zendesk's own screen."""
        return self.comment(ticket, {"body": text, "public": not private}, actor=agent)

    def said(self, ticket: Raw) -> list[Raw]:
        """What the customer was told, in order."""
        held = self.comments[ticket["id"]]
        return [each for each in held if each["public"] and each["author_id"] != ticket["requester_id"]]

    def noted(self, ticket: Raw) -> list[Raw]:
        """What only agents see."""
        return [each for each in self.comments[ticket["id"]] if not each["public"]]

    async def drain(self) -> None:
        """Wait until all webhooks are delivered."""
        await self.post.drain()


def envelope(event: str, about: Raw, what: Raw, users: Mapping[int, Raw], actor: int) -> Raw:
    """A webhook's payload, as things stand now."""
    kind, _, deed = event.partition(".")
    separator = "/" if event in _SLASHED else ":"
    return {
        "account_id": 22129848,
        "detail": _ticket(about, actor) if kind == "ticket" else _user(about),
        "event": _event(deed, what, users),
        "id": str(uuid.uuid4()),
        "subject": f"zen:{kind}:{about['id']}",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z",
        "type": f"zen:event-type{separator}{event}",
        "zendesk_event_version": "2022-11-06",
    }


def _ticket(ticket: Raw, actor: int) -> Raw:
    channel = ticket["via"]["channel"]
    return {
        "actor_id": str(actor),
        "assignee_id": _text(ticket["assignee_id"]),
        "created_at": ticket["created_at"],
        "description": "",
        "external_id": ticket["external_id"],
        "group_id": _text(ticket["group_id"]),
        "id": str(ticket["id"]),
        "is_public": True,
        "requester_id": str(ticket["requester_id"]),
        "status": ticket["status"].upper(),
        "subject": ticket["subject"],
        "submitter_id": str(ticket["submitter_id"]),
        "tags": ticket["tags"],
        "updated_at": ticket["updated_at"],
        "via": {"channel": _CHANNELS.get(channel, channel)},
    }


def _user(held: Raw) -> Raw:
    return {
        "created_at": held["created_at"],
        "default_group_id": "0",
        "email": held["email"] or "",
        "external_id": held["external_id"] or "",
        "id": str(held["id"]),
        "organization_id": "0",
        "role": held["role"],
        "updated_at": held["updated_at"],
    }


def _event(deed: str, what: Raw, users: Mapping[int, Raw]) -> Raw:
    match deed:
        case "comment_added":
            return {"comment": _comment(what, users)}
        case "attachment_linked_to_comment":
            attached = what["attachment"]
            file = {"id": str(attached["id"]), "filename": attached["file_name"]}
            return {"comment": {"id": str(what["id"]), "is_public": what["public"], "attachment": file}}
        case "tags_changed":
            before, now = set(what["previous"]), set(what["current"])
            return {"tags_added": sorted(now - before), "tags_removed": sorted(before - now)}
        case "status_changed":
            return {name: value.upper() for name, value in what.items()}
        case _:
            return {name: _text(value) for name, value in what.items()}


def _comment(comment: Raw, users: Mapping[int, Raw]) -> Raw:
    writer = users[comment["author_id"]]
    author = {"id": str(writer["id"]), "is_staff": writer["role"] != "end-user", "name": writer["name"]}
    return {
        "id": str(comment["id"]),
        "body": comment["body"],
        "is_public": comment["public"],
        "author": author,
    }


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def signed(body: bytes) -> dict[str, str]:
    """The headers of a delivery sent now."""
    at = stamp(datetime.now(UTC))
    digest = hmac.new(SETTINGS["webhook_secret"].encode(), at.encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "x-zendesk-account-id": "22129848",
        "x-zendesk-webhook-id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
        "x-zendesk-webhook-invocation-id": uuid.uuid4().hex,
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": at,
    }
