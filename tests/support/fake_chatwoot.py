"""Chatwoot, as far as our requests reach and its webhooks come from: it answers and changes as it does."""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

Raw = dict[str, Any]

_BOT_MAY = re.compile(r"POST .*/(messages|toggle_status|assignments)")
AGENTS = {6: {"id": 6, "name": "Lin Wei", "type": "user"}}
TEAMS = {2: {"id": 2, "name": "after-sales"}}
SPEAKERS = {
    "user-token": {"id": 1, "name": "Deskbridge", "type": "user"},
    "bot-token": {"id": 9, "name": "Sail Bot", "type": "agent_bot"},
}
STARTED = 1794622811
INCOMING, OUTGOING = 0, 1


@dataclass
class Thread:
    """A conversation; messages are shaped as the REST API shapes them."""

    number: int
    contact: Raw
    status: str = "pending"
    labels: list[str] = field(default_factory=list)
    custom_attributes: Raw = field(default_factory=dict)
    assignee: Raw | None = None
    waiting_since: int | None = None
    updated_at: float = float(STARTED)
    messages: list[Raw] = field(default_factory=list)


def contact(number: int = 412, name: str = "陳雅婷", **about: Any) -> Raw:
    """A contact as the REST API shapes it."""
    return {
        "id": number,
        "name": name,
        "email": "chen.yating@example.com",
        "phone_number": None,
        "identifier": "shop-88213",
        "custom_attributes": {"member_level": "gold"},
        "last_activity_at": STARTED,
    } | about


class FakeChatwoot(httpx.AsyncBaseTransport):
    """An account with one conversation, 2207, and a user's and a bot's token.

    `keeps_mark` false makes it an older release, which forgets `content_attributes`. With `active_bot`
    the inbox has an agent bot: what is resolved becomes pending again when the customer writes.
    """

    def __init__(
        self, *, account: int = 3, keeps_mark: bool = True, active_bot: bool = True, number: int = 2207
    ) -> None:
        self.account = account
        self.keeps_mark = keeps_mark
        self.active_bot = active_bot
        self.contact = contact()
        self.thread = Thread(number, self.contact, self.first_status, labels=["after-sales"])
        self.threads = {number: self.thread}
        self.assignments: list[Raw] = []
        self.conversations: list[Raw] = []
        self.log: list[tuple[str, str]] = []
        self._ids = itertools.count(1)
        self.clock: Callable[[], float] = lambda: STARTED + len(self.thread.messages) + 1

    @property
    def first_status(self) -> str:
        """What a conversation starts as."""
        return "pending" if self.active_bot else "open"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        path = request.url.path.removeprefix(f"/api/v1/accounts/{self.account}/")
        token = request.headers["api_access_token"]
        self.log.append((token, f"{request.method} {path}"))
        if token == "bot-token" and not _BOT_MAY.match(f"{request.method} {path}"):
            return httpx.Response(401, json={"error": "Access to this endpoint is not authorized for bots"})
        if token not in SPEAKERS:
            return httpx.Response(401, json={"error": f"Invalid Access Token {token}"})
        body = json.loads(request.content) if request.content else {}
        return self._answer(request, path, body)

    def _answer(self, request: httpx.Request, path: str, body: Raw) -> httpx.Response:
        match (request.method, *path.split("/")):
            case ("GET", "", "api", "v1", "profile"):
                payload: Any = {"name": "Deskbridge", "accounts": [{"id": self.account}]}
            case ("GET", "conversations"):
                payload = {"data": {"payload": self._page(request.url.params)}}
            case ("GET", "conversations", number) if int(number) in self.threads:
                payload = shown(self.threads[int(number)])
            case (_, "conversations", number, what) if int(number) in self.threads:
                payload = self._of_thread(request, self.threads[int(number)], what, body)
            case _:
                return self._contacts(f"{request.method} {path}", body, request.url.params)
        return httpx.Response(200, json=payload)

    def _of_thread(self, request: httpx.Request, thread: Thread, what: str, body: Raw) -> Any:
        match request.method, what:
            case "POST", "messages":
                return self.post(thread, sender=SPEAKERS[request.headers["api_access_token"]], **body)
            case "GET", "messages":
                return {"meta": {}, "payload": _listed(thread, request.url.params)}
            case "POST", "toggle_status":
                self.set_status(thread, body["status"])
                return {"meta": {}, "payload": {"success": True}}
            case "POST", "assignments":
                self.assignments.append(body)
                if "assignee_id" in body:
                    self.assign(thread, AGENTS.get(body["assignee_id"]))
                return AGENTS.get(body.get("assignee_id", 0)) or TEAMS.get(body.get("team_id", 0))
            case "POST", "custom_attributes":
                self.set_attributes(thread, body["custom_attributes"])
                return {"custom_attributes": thread.custom_attributes}
            case _, "labels":
                self._label(thread, body.get("labels", thread.labels))
                return {"payload": thread.labels}
            case _:
                raise NotImplementedError(f"{request.method} {what}")

    def _contacts(self, what: str, body: Raw, query: httpx.QueryParams) -> httpx.Response:
        match what:
            case "PUT contacts/412":
                self.contact["custom_attributes"] |= body.pop("custom_attributes", {})
                self.contact |= body
                return httpx.Response(200, json={"payload": self.contact})
            case "GET contacts/412":
                return httpx.Response(200, json={"payload": self.contact})
            case "GET contacts/search":
                found = [self.contact] if query["q"] in json.dumps(self.contact) else []
                return httpx.Response(200, json={"meta": {}, "payload": found})
            case "GET contacts":
                page = [self.contact] if query["page"] == "1" else []
                return httpx.Response(200, json={"meta": {}, "payload": page})
            case _:
                return httpx.Response(404, json={"error": "Resource could not be found"})

    def post(
        self,
        thread: Thread,
        content: str,
        *,
        sender: Raw,
        message_type: str = "outgoing",
        private: bool = False,
        content_attributes: Raw | None = None,
    ) -> Raw:
        """Store a message; the customer's opens again what was resolved."""
        incoming = message_type == "incoming"
        if incoming and thread.status in {"resolved", "snoozed"}:
            self.set_status(thread, self.first_status if thread.status == "resolved" else "open")
        now = self.clock()
        if incoming and thread.waiting_since is None:
            self._change(thread, "conversation_updated", waiting_since=int(now))
        message = {
            "id": next(self._ids),
            "content": content,
            "message_type": INCOMING if incoming else OUTGOING,
            "created_at": int(now),
            "updated_at": iso(now),
            "private": private,
            "content_attributes": content_attributes or {} if self.keeps_mark else {},
            "sender": sender,
        }
        thread.messages.append(message)
        self.tell("message_created", thread, message)
        if not incoming and not private:
            if thread.waiting_since is not None:
                self._change(thread, "conversation_updated", waiting_since=None)
            self.tell("message_updated", thread, message)  # it was delivered to the channel
        return message

    def set_status(self, thread: Thread, status: str) -> None:
        """Move a conversation; the agent bot hears of it under another name."""
        if status == thread.status:
            return
        bots_word = {"open": ("conversation_opened",), "resolved": ("conversation_resolved",)}
        self._change(
            thread,
            *bots_word.get(status, ()),
            "conversation_status_changed",
            "conversation_updated",
            status=status,
        )

    def set_attributes(self, thread: Thread, attributes: Raw) -> None:
        """Give a conversation these custom attributes and no others."""
        if attributes != thread.custom_attributes:
            self._change(thread, "conversation_updated", custom_attributes=attributes)

    def assign(self, thread: Thread, agent: Raw | None) -> None:
        """Give a conversation to an agent or to nobody."""
        if agent != thread.assignee:
            self._change(thread, "conversation_updated", assignee=agent)

    def tell(
        self, event: str, thread: Thread, message: Raw | None = None, changed: Raw | None = None
    ) -> None:
        """Where a subclass sends webhooks; `changed` holds the values from before."""

    def _label(self, thread: Thread, labels: list[str]) -> None:
        if labels != thread.labels:
            self._change(thread, "conversation_updated", labels=labels)

    def _change(self, thread: Thread, *events: str, **fields: Any) -> None:
        before = {name: getattr(thread, name) for name in fields}
        thread.updated_at = self.clock()
        for name, value in fields.items():
            setattr(thread, name, value)
        for event in events:
            self.tell(event, thread, changed=before)

    def _page(self, query: httpx.QueryParams) -> list[Raw]:
        newest_first = sorted(self.conversations, key=lambda each: -each["last_activity_at"])
        start = (int(query["page"]) - 1) * 25
        return newest_first[start : start + 25]


def shown(thread: Thread) -> Raw:
    """A conversation as the REST API shapes it; its time has no fraction there, but in `updated_at`."""
    return {
        "id": thread.number,
        "status": thread.status,
        "labels": thread.labels,
        "custom_attributes": thread.custom_attributes,
        "created_at": int(thread.updated_at),
        "last_activity_at": int(thread.updated_at),
        "updated_at": thread.updated_at,
        "meta": {"sender": thread.contact, "assignee": thread.assignee, "channel": "Channel::Api"},
    }


def _listed(thread: Thread, query: httpx.QueryParams) -> list[Raw]:
    if "after" in query:
        return [each for each in thread.messages if each["id"] > int(query["after"])][:100]
    before = int(query["before"]) if "before" in query else None
    return [each for each in thread.messages if before is None or each["id"] < before][-20:]


def iso(at: float) -> str:
    """A time as Rails writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
