"""Chatwoot, as far as our requests reach and its webhooks come from: it answers and changes as it does."""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from support.forms import fields

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
WEB, API = 4, 5
"""The inboxes: a website's, and one that others speak through."""
_PAGE_OF_CONTACTS = 15


@dataclass
class Thread:
    """A conversation; messages are shaped as the REST API shapes them."""

    number: int
    contact: Raw
    status: str = "pending"
    labels: list[str] = field(default_factory=list)
    custom_attributes: Raw = field(default_factory=dict)
    additional_attributes: Raw = field(default_factory=dict)
    inbox: int = WEB
    assignee: Raw | None = None
    waiting_since: int | None = None
    updated_at: float = float(STARTED)
    last_activity_at: float = float(STARTED)
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
        self.people = {self.contact["id"]: self.contact}
        self.places: dict[str, int] = {}
        """Who is whom in the API inbox, by `source_id`."""
        self.files: dict[str, bytes] = {}
        self.handed_off: list[int] = []
        """What a bot's own token took out of pending: Chatwoot's `bot_handoff!`."""
        self.refuses_incoming = False
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
        return self._answer(request, path, _body(request))

    def _answer(self, request: httpx.Request, path: str, body: Raw) -> httpx.Response:
        match (request.method, *path.split("/")):
            case ("GET", "", "api", "v1", "profile"):
                payload: Any = {"name": "Deskbridge", "accounts": [{"id": self.account}]}
            case ("GET", "conversations"):
                payload = {"data": {"payload": self._page(request.url.params)}}
            case ("POST", "conversations"):
                payload = shown(self._open(body))
            case ("GET", "conversations", number) if int(number) in self.threads:
                payload = shown(self.threads[int(number)])
            case ("POST", "conversations", _, "messages") if self.refuses_incoming:
                refusal = {"error": "Incoming messages are only allowed in Api inboxes"}
                return httpx.Response(422, json=refusal)
            case (_, "conversations", number, what) if int(number) in self.threads:
                payload = self._of_thread(request, self.threads[int(number)], what, body)
            case _:
                return self._contacts(f"{request.method} {path}", body, request.url.params)
        return httpx.Response(200, json=payload)

    def _of_thread(self, request: httpx.Request, thread: Thread, what: str, body: Raw) -> Any:
        match request.method, what:
            case "POST", "messages":
                incoming = body.get("message_type") == "incoming"
                sender = thread.contact if incoming else SPEAKERS[request.headers["api_access_token"]]
                return self.post(thread, sender=sender, **body)
            case "GET", "messages":
                return {"meta": {}, "payload": _listed(thread, request.url.params)}
            case "POST", "toggle_status":
                by_bot = request.headers["api_access_token"] == "bot-token"
                if by_bot and (thread.status, body["status"]) == ("pending", "open"):
                    self.handed_off.append(thread.number)
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
        method, *path = what.replace("/", " ").split(" ")
        match method, *path:
            case "GET", "contacts", "search":
                found = [each for each in self.people.values() if query["q"] in json.dumps(each)]
                return httpx.Response(200, json={"meta": {}, "payload": found})
            case "GET", "contacts":
                newest = sorted(self.people.values(), key=lambda each: -each["last_activity_at"])
                start = (int(query["page"]) - 1) * _PAGE_OF_CONTACTS
                page = newest[start : start + _PAGE_OF_CONTACTS]
                return httpx.Response(200, json={"meta": {"count": len(newest)}, "payload": page})
            case "POST", "contacts":
                return self._welcome(body)
            case _, "contacts", number, *rest if int(number) in self.people:
                return self._contact(method, self.people[int(number)], rest, body)
            case "POST", "actions", "contact_merge":
                self.merge(body["base_contact_id"], body["mergee_contact_id"])
                return httpx.Response(200, json={"payload": self.people[body["base_contact_id"]]})
            case _:
                return httpx.Response(404, json={"error": "Resource could not be found"})

    def _contact(self, method: str, contact: Raw, rest: list[str], body: Raw) -> httpx.Response:
        match method, *rest:
            case "GET", "conversations":
                theirs = [shown(each) for each in self.threads.values() if each.contact is contact]
                return httpx.Response(200, json={"payload": theirs})
            case "POST", "contact_inboxes":
                self.places[body["source_id"]] = contact["id"]
                return httpx.Response(200, json=body | {"inbox": {"id": body["inbox_id"]}})
            case ("PUT",):
                contact["custom_attributes"] |= body.pop("custom_attributes", {})
                contact |= body
        return httpx.Response(200, json={"payload": contact})

    def _welcome(self, body: Raw) -> httpx.Response:
        """A new contact; no two may have the same address."""
        for name in ("email", "phone_number", "identifier"):
            if body.get(name) and body[name] in [each.get(name) for each in self.people.values()]:
                return httpx.Response(422, json={"message": f"{name} has already been taken"})
        number = max(self.people) + 1
        made = contact(number, email=None, identifier=None, custom_attributes={}) | body | {"id": number}
        self.people[number] = made
        place = {"source_id": f"random-{number}", "inbox": {"id": body["inbox_id"]}}
        return httpx.Response(200, json={"payload": {"contact": made, "contact_inbox": place}})

    def _open(self, body: Raw) -> Thread:
        assert self.places[body["source_id"]] == body["contact_id"], "the contact has no such place"
        thread = Thread(
            max(self.threads) + 1,
            self.people[body["contact_id"]],
            body.get("status", self.first_status),
            additional_attributes=body.get("additional_attributes", {}),
            inbox=body["inbox_id"],
            updated_at=self.clock(),
        )
        self.threads[thread.number] = thread
        self.tell("conversation_created", thread)
        return thread

    def merge(self, base: int, gone: int) -> None:
        """Make one contact of two: of webhooks only those of the messages tell, whose sender is another now.

        As app/actions/contact_merge_action.rb does.
        """
        lost = self.people.pop(gone)
        kept = self.people[base]
        for thread in self.threads.values():
            if thread.contact is lost:
                thread.contact = kept
                for message in thread.messages:
                    if message["sender"] is lost:
                        message["sender"] = kept
                        self.tell("message_updated", thread, message)

    def post(
        self,
        thread: Thread,
        content: str,
        *,
        sender: Raw,
        message_type: str = "outgoing",
        private: bool = False,
        content_attributes: Raw | None = None,
        attachments: list[Raw] | None = None,
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
        if attachments:
            message["attachments"] = [self._keep(each) for each in attachments]
        thread.messages.append(message)
        thread.last_activity_at = now
        if incoming:
            thread.contact["last_activity_at"] = int(now)
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

    def _keep(self, file: Raw) -> Raw:
        number = len(self.files) + 1
        stored = "https://chat.example.com/rails/blobs"
        url = file.get("data_url") or f"{stored}/{number}/{quote(file['name'])}"
        self.files[url] = file["data"]
        return {"id": number, "file_type": "file", "data_url": url, "file_size": len(file["data"])}

    def _page(self, query: httpx.QueryParams) -> list[Raw]:
        inbox = int(query.get("inbox_id", 0))
        threads = [each for each in self.threads.values() if not inbox or each.inbox == inbox]
        listed = self.conversations or [shown(each) for each in threads]
        newest_first = sorted(listed, key=lambda each: -each["last_activity_at"])
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
        "last_activity_at": int(thread.last_activity_at),
        "updated_at": thread.updated_at,
        "inbox_id": thread.inbox,
        "additional_attributes": thread.additional_attributes,
        "messages": thread.messages[-1:],
        "meta": {"sender": thread.contact, "assignee": thread.assignee, "channel": "Channel::Api"},
    }


def _body(request: httpx.Request) -> Raw:
    """JSON, or a form in which everything but files is a text."""
    stated = request.headers.get("content-type", "")
    if not stated.startswith("multipart/"):
        read: Raw = json.loads(request.content) if request.content else {}
        return read
    form = fields(request.content, stated)
    attributes = json.loads(form.pop("content_attributes", "{}"))
    return form | {"private": form.get("private") == "true", "content_attributes": attributes}


def _listed(thread: Thread, query: httpx.QueryParams) -> list[Raw]:
    if "after" in query:
        return [each for each in thread.messages if each["id"] > int(query["after"])][:100]
    before = int(query["before"]) if "before" in query else None
    return [each for each in thread.messages if before is None or each["id"] < before][-20:]


def iso(at: float) -> str:
    """A time as Rails writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
