"""Intercom, as far as our requests reach: a workspace that keeps state, and tells of it by webhooks."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from vendors.door import Door
from vendors.post import Post

Raw = dict[str, Any]

TOKEN, SECRET = "access-token", "client-secret"
US, AGENT, FIN = "9001", "9100", "9002"
SETTINGS: Raw = {"token": TOKEN, "webhook_secret": SECRET, "admin_id": US}
_STARTED = int(datetime(2026, 11, 14, 2, 20, tzinfo=UTC).timestamp())
_ADMINS: Mapping[str, Raw] = {
    US: {"type": "admin", "id": US, "name": "Deskbridge", "email": "bridge@example.com"},
    AGENT: {"type": "admin", "id": AGENT, "name": "Lin Wei", "email": "lin.wei@example.com"},
    FIN: {"type": "bot", "id": FIN, "name": "Fin", "email": "operator+acme@intercom.io"},
}
_PARTS = "conversation_part.list"
_KINDS = {"assignment": "assigned", "close": "closed", "open": "opened", "snoozed": "snoozed"}


def signed(body: bytes) -> dict[str, str]:
    """The headers that Intercom sends with a webhook."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    return {"content-type": "application/json", "x-hub-signature": f"sha1={digest}"}


class FakeIntercom(httpx.AsyncBaseTransport):
    """A workspace with an agent, Fin and the admin that we write as; behind `door` it is served over HTTP.

    Use it as a transport, or as `async with serving(workspace.door, port), workspace.post: …` with a `hook`.
    """

    def __init__(self, hook: str = "", *, page_size: int = 150) -> None:
        self.post = Post(hook, signed)
        self.door = Door(self)
        self.page_size = page_size
        self.contacts: dict[str, Raw] = {}
        self.merged: dict[str, str] = {}
        self.threads: dict[str, Raw] = {}
        self.tags: dict[str, Raw] = {}
        self.log: list[str] = []
        self.bodies: list[Raw] = []
        self._hears = bool(hook)
        self._numbers = itertools.count(5001)
        self._ticks = itertools.count(_STARTED)
        self.clock: Callable[[], int] = self._now if not hook else lambda: int(datetime.now(UTC).timestamp())

    # What people do.

    def welcome(self, name: str = "陳雅婷", **about: Any) -> Raw:
        """A new contact."""
        number = f"67b0aa01c16da6b5{next(self._numbers):08x}"
        at = self.clock()
        contact = {
            "type": "contact",
            "id": number,
            "external_id": None,
            "role": "user",
            "name": name,
            "email": f"c{number[-4:]}@example.com",
            "custom_attributes": {},
            "created_at": at,
            "updated_at": at,
        }
        self.contacts[number] = contact | about
        return self.contacts[number]

    def customer_says(self, text: str, thread: Raw | None = None) -> Raw:
        """A customer writes in the Messenger, in a new conversation unless said otherwise."""
        if thread is None:
            thread = self._begin(self.welcome(), text)
            self.tell("conversation.user.created", thread)
            return thread
        thread |= {"state": "open", "open": True}
        self._add(
            thread, _writer(self.contacts[_contact(thread)]), text, "comment", "conversation.user.replied"
        )
        return thread

    def agent_says(self, thread: Raw, text: str, *, kind: str = "comment", admin: str = AGENT) -> Raw:
        """A teammate, or Fin, writes in Intercom's own inbox."""
        topic = "noted" if kind == "note" else "replied"
        return self._add(thread, _ADMINS[admin], text, kind, f"conversation.admin.{topic}")

    def agent_takes(self, thread: Raw, to: str = AGENT) -> None:
        """An agent assigns a conversation."""
        thread["admin_assignee_id"] = int(to)
        self._add(thread, _ADMINS[AGENT], None, "assignment", "conversation.admin.assigned")

    def said(self, thread: Raw) -> list[Raw]:
        """What the customer was told, in order."""
        parts = thread["conversation_parts"]["conversation_parts"]
        return [each for each in parts if each["part_type"] == "comment" and each["author"]["type"] != "user"]

    def noted(self, thread: Raw) -> list[Raw]:
        """What only agents see."""
        parts = thread["conversation_parts"]["conversation_parts"]
        return [each for each in parts if each["part_type"] == "note"]

    def merge(self, lead: Raw, user: Raw) -> None:
        """A lead becomes a user who was known."""
        del self.contacts[lead["id"]]
        self.merged[lead["id"]] = user["id"]

    def delete(self, thread: Raw) -> None:
        """A teammate deletes a conversation: the webhook bears its id and nothing else."""
        del self.threads[thread["id"]]
        self._send("conversation.deleted", {"type": "conversation", "id": thread["id"]})

    async def drain(self) -> None:
        """Wait until all webhooks are delivered."""
        await self.post.drain()

    def tell(self, topic: str, thread: Raw) -> None:
        """Send a webhook: a conversation comes with its latest part."""
        if not self._hears:
            return
        held = thread["conversation_parts"]["conversation_parts"][-1:]
        self._send(topic, thread | {"conversation_parts": {"type": _PARTS, "conversation_parts": held}})

    def _send(self, topic: str, item: Raw) -> None:
        event = {
            "type": "notification_event",
            "id": f"notif_{next(self._numbers)}",
            "app_id": "acme",
            "topic": topic,
            "created_at": self.clock(),
            "delivery_attempts": 1,
            "data": {"type": "notification_event_data", "item": item},
        }
        self.post.send(json.dumps(event).encode())

    # The API.

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await request.aread()
        path = request.url.path.strip("/")
        self.log.append(f"{request.method} {path}")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _refused(401, "unauthorized")
        body: Raw = json.loads(request.content) if request.content else {}
        self.bodies.append(body)
        response = self._answer(request.method, path.split("/"), body)
        limits = {"x-ratelimit-limit": "1667", "x-ratelimit-remaining": "1600"}
        response.headers.update({**limits, "x-ratelimit-reset": str(int(datetime.now(UTC).timestamp()) + 10)})
        return response

    def _answer(self, method: str, path: list[str], body: Raw) -> httpx.Response:
        match (method, *path):
            case ("GET", "me"):
                answer = _ADMINS[US] | {"app": {"type": "app", "name": "Acme"}}
            case ("GET", "admins", number) if number in _ADMINS:
                answer = _ADMINS[number]
            case ("POST", "tags"):
                answer = self._tag(body["name"])
            case ("POST", "conversations", "search"):
                answer = self._searched("conversations", self.threads, body)
            case ("POST", "contacts", "search"):
                answer = self._searched("data", self.contacts, body)
            case (_, "contacts", number):
                return self._of_contact(method, number, body)
            case (_, "conversations", number, *rest) if number in self.threads:
                return self._of_thread(method, self.threads[number], rest, body)
            case _:
                return _refused(404, "not_found")
        return _ok(answer)

    def _of_contact(self, method: str, number: str, body: Raw) -> httpx.Response:
        if number in self.merged:
            link = {"link": f'</contacts/{self.merged[number]}>; rel="canonical"'}
            return httpx.Response(410, json={"errors": [{"code": "contact_merged"}]}, headers=link)
        held = self.contacts.get(number)
        if held is None:
            return _refused(404, "not_found")
        if method == "PUT":
            held["custom_attributes"] |= body.pop("custom_attributes", {})
            held |= body
        return _ok(held)

    def _of_thread(self, method: str, thread: Raw, rest: list[str], body: Raw) -> httpx.Response:
        match (method, *rest):
            case ("GET",):
                return _ok(thread)
            case ("PUT",):
                thread["custom_attributes"] |= body["custom_attributes"]
            case ("POST", "reply"):
                self._reply(thread, body)
            case ("POST", "parts"):
                self._part(thread, body)
            case ("POST", "tags"):
                (tag,) = (each for each in self.tags.values() if each["id"] == body["id"])
                thread["tags"]["tags"].append(tag)
                return _ok(tag)
            case ("DELETE", "tags", number):
                kept = [each for each in thread["tags"]["tags"] if each["id"] != number]
                thread["tags"]["tags"] = kept
            case _:
                return _refused(404, "not_found")
        return _ok(thread)

    def _reply(self, thread: Raw, body: Raw) -> None:
        kind = body["message_type"]
        files = [
            {"type": "upload", "name": each["name"], "url": "https://files.example/f", "data": each["data"]}
            for each in body.get("attachment_files", ())
        ]
        if body["type"] == "user":
            writer, topic = _writer(self.contacts[body["intercom_user_id"]]), "conversation.user.replied"
        else:
            deed = "noted" if kind == "note" else "replied"
            writer, topic = _ADMINS[body["admin_id"]], f"conversation.admin.{deed}"
        shown = body["body"] if body["body"].startswith("<p>") else f"<p>{body['body']}</p>"
        self._add(thread, writer, shown, kind, topic, attachments=files)

    def _part(self, thread: Raw, body: Raw) -> None:
        kind = body["message_type"]
        match kind:
            case "assignment":
                thread[f"{body['type']}_assignee_id"] = int(body["assignee_id"])
            case "close":
                thread |= {"state": "closed", "open": False}
            case _:
                thread |= {"state": kind, "open": kind == "open"}
        self._add(thread, _ADMINS[body["admin_id"]], None, kind, f"conversation.admin.{_KINDS[kind]}")

    def _searched(self, key: str, held: Mapping[str, Raw], body: Raw) -> Raw:
        query = body["query"]
        field, value = query["field"], query["value"]
        if query["operator"] == "=":
            found = [each for each in held.values() if each.get(field) == value]
        else:
            # Contacts are found by whole days.
            floor = value if key == "conversations" else (value // 86_400 + 1) * 86_400 - 1
            found = [each for each in held.values() if each[field] > floor]
        # Conversations come latest first: no other order is promised.
        found.sort(key=lambda each: each["updated_at"], reverse=key == "conversations")
        paging = body.get("pagination") or {}
        start = int(paging.get("starting_after") or 0)
        end = start + min(self.page_size, paging.get("per_page", 20))
        pages = {"type": "pages", "next": {"starting_after": str(end)} if end < len(found) else None}
        shown = [{k: v for k, v in each.items() if k != "conversation_parts"} for each in found[start:end]]
        return {"type": "list", key: shown, "total_count": len(found), "pages": pages}

    def _tag(self, name: str) -> Raw:
        return self.tags.setdefault(name, {"type": "tag", "id": str(next(self._numbers)), "name": name})

    def _begin(self, contact: Raw, text: str) -> Raw:
        number, at = str(next(self._numbers)), self.clock()
        reference = {"type": "contact", "id": contact["id"], "external_id": contact["external_id"]}
        source = {"type": "conversation", "id": str(next(self._numbers)), "body": text, "attachments": []}
        source |= {"delivered_as": "customer_initiated", "author": _writer(contact), "subject": ""}
        self.threads[number] = {
            "type": "conversation",
            "id": number,
            "created_at": at,
            "updated_at": at,
            "source": source,
            "contacts": {"type": "contact.list", "contacts": [reference]},
            "admin_assignee_id": 0,
            "team_assignee_id": 0,
            "open": True,
            "state": "open",
            "title": None,
            "tags": {"type": "tag.list", "tags": []},
            "custom_attributes": {},
            "conversation_parts": {"type": "conversation_part.list", "conversation_parts": []},
        }
        return self.threads[number]

    def _add(self, thread: Raw, writer: Raw, text: str | None, kind: str, topic: str, **about: Any) -> Raw:
        at = self.clock()
        part = {
            "type": "conversation_part",
            "id": str(next(self._numbers)),
            "part_type": kind,
            "body": text,
            "created_at": at,
            "author": writer,
            "attachments": [],
            **about,
        }
        thread["conversation_parts"]["conversation_parts"].append(part)
        thread["updated_at"] = at
        self.tell(topic, thread)
        return part

    def _now(self) -> int:
        return next(self._ticks)


def _contact(thread: Raw) -> str:
    return str(thread["contacts"]["contacts"][0]["id"])


def _writer(contact: Raw) -> Raw:
    return {"type": "user", "id": contact["id"], "name": contact["name"], "email": contact["email"]}


def _ok(answer: Any) -> httpx.Response:
    return httpx.Response(200, json=answer)


def _refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"type": "error.list", "errors": [{"code": code, "message": "so."}]})
