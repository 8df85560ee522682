"""HubSpot, as far as our requests reach: a portal that keeps state, and tells ids of it by webhooks."""

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from vendors.door import Door
from vendors.post import Post

Raw = dict[str, Any]

TOKEN, SECRET = "pat-token", "client-secret"
US, AGENT, BOT = "A-9001", "A-9100", "B-77"
SETTINGS: Raw = {
    "token": TOKEN,
    "webhook_secret": SECRET,
    "actor_id": US,
    "contact_properties": "member_level",
}
_THREADS = "conversations/v3/conversations/threads"
_NAMES = {US: "Deskbridge", AGENT: "Lin Wei", BOT: "Chatflow"}


class FakeHubspot(httpx.AsyncBaseTransport):
    """A portal with an agent, a chatflow and the user that we write as; behind `door` it is served over HTTP.

    Use it as a transport, or as `async with serving(portal.door, port), portal.post: …` with a `hook`.
    """

    def __init__(self, hook: str = "", *, page_size: int = 100) -> None:
        self.post = Post(hook, self._signed)
        self.door = Door(self)
        self.page_size = page_size
        self.contacts: dict[str, Raw] = {}
        self.threads: dict[str, Raw] = {}
        self.messages: dict[str, list[Raw]] = {}
        self.files: dict[str, bytes] = {}
        self.log: list[str] = []
        self._hook = hook
        self._numbers = itertools.count(5001)
        self._ticks = itertools.count()

    def welcome(self, email: str = "chen.yating@example.com", **properties: Any) -> Raw:
        """A new contact."""
        number, at = str(next(self._numbers)), self._now()
        held = {"email": email, "firstname": "雅婷", "lastname": "陳", "lastmodifieddate": at, **properties}
        self.contacts[number] = {"id": number, "createdAt": at, "updatedAt": at, "properties": held}
        self.contacts[number]["archived"] = False
        return self.contacts[number]

    def customer_says(self, text: str, thread: Raw | None = None, **about: Any) -> Raw:
        """A customer writes in the chat, in a new thread unless said otherwise."""
        if thread is None:
            number, contact = str(next(self._numbers)), self.welcome()
            thread = {"id": number, "status": "OPEN", "associatedContactId": contact["id"]}
            thread |= {"originalChannelId": "1000", "originalChannelAccountId": "88", "inboxId": "9"}
            thread |= {"createdAt": self._now(), "archived": False, "spam": False}
            self.threads[number], self.messages[number] = thread, []
            self.tell("conversation.creation", number)
        actor = f"V-{thread['associatedContactId']}"
        self._add(thread, {"type": "MESSAGE", "text": text, "direction": "INCOMING"} | about, actor)
        return thread

    def agent_says(self, thread: Raw, text: str, *, actor: str = AGENT, kind: str = "MESSAGE") -> Raw:
        """Somebody of the house, or a bot, writes in HubSpot."""
        return self._add(thread, {"type": kind, "text": text, "direction": "OUTGOING"}, actor)

    def said(self, thread: Raw) -> list[Raw]:
        """What the customer was told, in order."""
        held = self.messages[thread["id"]]
        return [each for each in held if each["type"] == "MESSAGE" and each["direction"] == "OUTGOING"]

    def noted(self, thread: Raw) -> list[Raw]:
        """What only agents see."""
        return [each for each in self.messages[thread["id"]] if each["type"] == "COMMENT"]

    async def drain(self) -> None:
        """Wait until all webhooks are delivered."""
        await self.post.drain()

    def tell(self, kind: str, number: str, **about: Any) -> None:
        """Send a webhook: an array of ids."""
        if self._hook:
            event = {"eventId": next(self._numbers), "subscriptionType": kind, "objectId": int(number)}
            at = int(datetime.now(UTC).timestamp() * 1000)
            self.post.send(json.dumps([{**event, "occurredAt": at, "attemptNumber": 0, **about}]).encode())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await request.aread()
        path = request.url.path.strip("/")
        self.log.append(f"{request.method} {path}")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "no"})
        if path == "files/v3/files":
            number = str(next(self._numbers))
            self.files[number] = request.content
            return httpx.Response(201, json={"id": number})
        body: Raw = json.loads(request.content) if request.content else {}
        answer = self._answer(request, path, body)
        return httpx.Response(404, json={"message": "no"}) if answer is None else answer

    def _answer(self, request: httpx.Request, path: str, body: Raw) -> httpx.Response | None:
        query, short = request.url.params, path.removeprefix(_THREADS).strip("/")
        match (request.method, *path.split("/")):
            case ("GET", "conversations", _, _, "actors", actor) if actor in _NAMES:
                return _ok({"id": actor, "name": _NAMES[actor], "type": "AGENT"})
            case ("POST", *_, "contacts", "search"):
                return self._page(self._found(body), "lastmodifieddate", body.get("after", "0"))
            case (method, "crm", _, _, "contacts", which):
                return self._of_contact(method, which, query, body)
            case (method, "conversations", "conversations", _, _, number, "assignee"):
                self.threads[number]["assignedTo"] = body.get("actorId")
                return httpx.Response(204) if method == "DELETE" else _ok(self.threads[number])
            case ("GET", *_, "threads"):
                since = query["latestMessageTimestampAfter"]
                new = [t for t in self.threads.values() if t["latestMessageTimestamp"] > since]
                return self._page(new, "latestMessageTimestamp", query.get("after", "0"))
            case _:
                number, *rest = short.split("/")
                known = number in self.threads
                return self._of_thread(request, self.threads[number], rest, body) if known else None

    def _of_contact(
        self, method: str, which: str, query: httpx.QueryParams, body: Raw
    ) -> httpx.Response | None:
        held = self.contacts.get(which)
        if query.get("idProperty") == "email":
            matching = (c for c in self.contacts.values() if c["properties"]["email"] == which)
            held = next(matching, None)
        if held is None:
            return None
        if method == "PATCH":
            held["properties"] |= body["properties"]
        return _ok(held)

    def _of_thread(
        self, request: httpx.Request, thread: Raw, rest: list[str], body: Raw
    ) -> httpx.Response | None:
        held = self.messages[thread["id"]]
        match (request.method, *rest):
            case ("GET",):
                return _ok(thread)
            case ("PATCH",):
                thread |= body
                self.tell("conversation.propertyChange", thread["id"], propertyName="status")
                return _ok(thread)
            case ("POST", "messages"):
                fields = {name: body[name] for name in ("type", "text") if name in body}
                return _ok(self._add(thread, {**fields, "direction": "OUTGOING", "sent": body}, US))
            case ("GET", "messages"):
                asked = request.url.params
                latest_first = asked["sort"].startswith("-")
                ordered = held[::-1] if latest_first else held
                return self._page(ordered, None, asked.get("after", "0"))
            case ("GET", "messages", number, *_):
                found = next((each for each in held if each["id"] == number), None)
                whole = rest[-1] == "original-content"
                return found and _ok({"text": found["whole"], "richText": ""} if whole else found)
            case _:
                return None

    def _found(self, body: Raw) -> list[Raw]:
        (rule,) = body["filterGroups"][0]["filters"]
        if rule["operator"] == "EQ":
            return [c for c in self.contacts.values() if c["properties"].get("phone") == rule["value"]]
        since = datetime.fromtimestamp(int(rule["value"]) / 1000, UTC)
        return [c for c in self.contacts.values() if datetime.fromisoformat(c["updatedAt"]) >= since]

    def _page(self, found: list[Raw], by: str | None, after: str) -> httpx.Response:
        if by:
            found = sorted(found, key=lambda each: str(each.get(by) or each.get("updatedAt")))
        start, end = int(after), int(after) + self.page_size
        more = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
        return _ok({"results": found[start:end], "total": len(found), **more})

    def _add(self, thread: Raw, fields: Raw, actor: str) -> Raw:
        at, is_incoming = self._now(), fields["direction"] == "INCOMING"
        sender = {"actorId": actor, "name": _NAMES.get(actor, "陳雅婷")}
        sender["deliveryIdentifier"] = {"type": "CHANNEL_SPECIFIC_OPAQUE_ID", "value": f"chat-{thread['id']}"}
        message = {
            "id": f"m-{next(self._numbers)}",
            "createdAt": at,
            "createdBy": actor,
            "senders": [sender if is_incoming else {"actorId": actor, "name": sender["name"]}],
            "recipients": [],
            "attachments": [],
            "channelId": "1000",
            "channelAccountId": "88",
            "client": {"clientType": "INTEGRATION" if actor == US else "HUBSPOT"},
            "truncationStatus": "NOT_TRUNCATED",
            **fields,
        }
        self.messages[thread["id"]].append(message)
        thread["latestMessageTimestamp"] = at
        self.tell("conversation.newMessage", thread["id"], messageId=message["id"])
        return message

    def _now(self) -> str:
        started = datetime(2026, 11, 14, 2, 20, tzinfo=UTC)
        at = datetime.now(UTC) if self._hook else started + timedelta(seconds=next(self._ticks))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _signed(self, body: bytes) -> dict[str, str]:
        stamp = str(int(datetime.now(UTC).timestamp() * 1000))
        covered = b"POST" + self._hook.encode() + body + stamp.encode()
        digest = base64.b64encode(hmac.digest(SECRET.encode(), covered, "sha256")).decode()
        weaker = hashlib.sha256(SECRET.encode() + body).hexdigest()
        return {
            "content-type": "application/json",
            "x-hubspot-request-timestamp": stamp,
            "x-hubspot-signature-v3": digest,
            "x-hubspot-signature": weaker,
        }


def _ok(answer: Any) -> httpx.Response:
    return httpx.Response(200, json=answer)
