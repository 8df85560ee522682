"""A made-up app of Zendesk messaging: users, conversations, a switchboard, webhooks that are sent again.

It answers and refuses as the published description says: `page[after]` or `page[before]` but never both, 423
in a full conversation, metadata that is flat and small, control that only the pending integration accepts.
"""

import itertools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
from vendors.sunshine_app import (
    ANSWER_BOT,
    APP,
    OURS,
    STARTED,
    WEBHOOK_SECRET,
    WORKSPACE,
    Raw,
    Refused,
    Thread,
    iso,
    name_of,
    require_flat,
    require_key,
)
from vendors.sunshine_courier import Courier

_FORM = re.compile(rb'name="source"; filename="([^"]*)".*?\r\n\r\n(.*)\r\n--', re.DOTALL)
_VERBS = frozenset({"passControl", "offerControl", "acceptControl", "releaseControl"})
_JSON_LIMIT = 100_000
_BOARD = "68a0cccc0000000000000001"


class FakeSunshine(httpx.AsyncBaseTransport):
    """The app. Given the address of the connection's `hook`, it sends webhooks while `courier` is entered.

    `said()`, `files` and `moves` (of the switchboard, with their metadata) show what came of requests. The
    next requests are answered with the statuses in `fails`, or, once they are carried out, in `fails_after`;
    so is, with 502 and once, the write before which there were `breaks_at` others.
    `page_size` is how many messages a page holds.
    """

    def __init__(self, *, hook: str = "", default: Raw = OURS, page_size: int = 100) -> None:
        self.default = default
        self.page_size = page_size
        self.courier = Courier(hook, APP, WEBHOOK_SECRET)
        self.board = [OURS, WORKSPACE, ANSWER_BOT]
        self.users: dict[str, Raw] = {}
        self.threads: dict[str, Thread] = {}
        self.files: dict[str, bytes] = {}
        self.fails: list[int] = []
        self.fails_after: list[int] = []
        self.breaks_at: int | None = None
        self.log: list[str] = []
        self.moves: list[tuple[str, Raw]] = []
        self._live = bool(hook)
        self._numbers = itertools.count(1)

    # What customers and agents do.

    def welcome(self, name: str = "雅婷 陳", **about: Any) -> Raw:
        """A new user."""
        given, _, surname = name.partition(" ")
        user = {
            "id": self._id(),
            "externalId": None,
            "authenticated": False,
            "profile": {"givenName": given, "surname": surname or None, "locale": "zh-TW"},
            "metadata": {},
            "identities": [],
        } | about
        self.users[user["id"]] = user
        return user

    def customer_says(self, text: str, thread: Thread | None = None, **content: Any) -> Thread:
        """A customer writes, a new one unless said otherwise; who holds nothing gets it by default."""
        thread = thread or self.open_thread()
        thread.active = thread.active or self.default
        user = thread.user
        author = {"type": "user", "userId": user["id"], "displayName": name_of(user)}
        said = {"type": "text", "text": text} | content
        self._add(thread, author, said, thread.source, told={**author, "user": user})
        return thread

    def open_thread(self, user: Raw | None = None, source: str = "web") -> Thread:
        """A customer opens a conversation."""
        came = {"type": source, "integrationId": "68a0dddd0000000000000001"}
        thread = Thread(self._id(), user or self.welcome(), came, self.default)
        self.threads[thread.id] = thread
        payload = {"conversation": thread.told(), "creationReason": "startConversation", "source": came}
        self.tell("conversation:create", payload | {"user": thread.user})
        return thread

    def agent_says(self, thread: Thread, text: str, name: str = "Lin Wei", **content: Any) -> Raw:
        """An agent writes in Zendesk's own screen, which takes control if it hasn't it."""
        if thread.active is not WORKSPACE:
            self._move(thread, "passControl", WORKSPACE, {})
        author = {"type": "business", "displayName": name, "subtypes": ["agent"]}
        said = {"type": "text", "text": text} | content
        return self._add(thread, author, said, {"type": "zd:agentWorkspace"})

    def presses(self, thread: Thread, payload: str) -> None:
        """The customer presses a button."""
        pressed = {"postback": {"payload": payload}, "user": thread.user, "source": thread.source}
        self.tell("conversation:postback", {"conversation": thread.told(), **pressed})

    def gives(self, thread: Thread, verb: str, to: Raw | None = None, **metadata: Any) -> None:
        """Somebody else uses the switchboard."""
        self._move(thread, verb, to, metadata)

    def merge(self, surviving: Raw, discarded: Raw) -> None:
        """Two users become one."""
        del self.users[discarded["id"]]
        for thread in self.threads.values():
            if thread.user is discarded:
                thread.user = surviving
        self.tell("user:merge", {"mergedUsers": {"surviving": surviving, "discarded": discarded}})

    def said(self, thread: Thread) -> list[Raw]:
        """What the business has told the customer."""
        return [each for each in thread.messages if each["author"]["type"] == "business"]

    def tell(self, kind: str, payload: Raw) -> None:
        """Put an event on its way."""
        event = {"id": self._id(), "createdAt": iso(self._now()), "type": kind, "payload": payload}
        self.courier.send(json.loads(json.dumps(event)))

    async def drain(self) -> None:
        """Wait until all webhooks are delivered."""
        await self.courier.drain()

    # The API.

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await request.aread()
        whole = request.url.raw_path.decode().partition("?")[0]
        path = whole.removeprefix("/sc").removeprefix(f"/v2/apps/{APP}").strip("/")
        self.log.append(f"{request.method} {path}")
        if self.fails:
            return httpx.Response(self.fails.pop(0), json={"errors": [{"code": "made_up", "title": "So."}]})
        try:
            require_key(request)
            status, answer = self._answer(request, path)
        except Refused as refused:
            error = {"code": refused.code, "title": refused.code.replace("_", " ")}
            return httpx.Response(refused.status, json={"errors": [error]})
        if request.method == "POST" and self.fails_after:
            return httpx.Response(self.fails_after.pop(0))
        if request.method == "POST" and self.breaks_at is not None:
            self.breaks_at = self.breaks_at - 1 if self.breaks_at else None
            if self.breaks_at is None:
                return httpx.Response(502)
        return httpx.Response(status, json=answer)

    def _answer(self, request: httpx.Request, path: str) -> tuple[int, Raw]:
        if request.method == "POST" and path == "attachments":
            return 201, self._store(request)
        body: Raw = json.loads(request.content) if request.content else {}
        if len(request.content) > _JSON_LIMIT:
            raise Refused(413, "payload_too_large")
        require_flat(body.get("metadata"))
        match (request.method, *path.split("/")):
            case ("POST" | "GET" as method, "users" | "conversations" as what) if body or what != "users":
                return self._made_or_listed(method, what, body, request.url.params)
            case (method, "users", which):
                return 200, {"user": self._user(method, unquote(which), body)}
            case (method, "conversations", which, *rest) if which in self.threads:
                return self._of_thread(request, self.threads[which], [method, *rest], body)
            case _:
                return 200, self._of_app(f"{request.method} {path}", request.url.params)

    def _of_app(self, what: str, query: httpx.QueryParams) -> Raw:
        answers: dict[str, Callable[[], Raw]] = {
            "GET ": lambda: {"app": {"id": APP, "displayName": "Sailing shop"}},
            "GET switchboards": lambda: {"switchboards": [{"id": _BOARD, "enabled": True}]},
            f"GET switchboards/{_BOARD}/switchboardIntegrations": lambda: {
                "switchboardIntegrations": self.board
            },
            "GET users": lambda: {"users": self._by_email(query["filter[identities.email]"])},
        }
        if what not in answers:
            raise Refused(404, "not_found")
        return answers[what]()

    def _of_thread(
        self, request: httpx.Request, thread: Thread, what: list[str], body: Raw
    ) -> tuple[int, Raw]:
        match what:
            case ["GET"]:
                return 200, {"conversation": thread.shown()}
            case ["PATCH"]:
                thread.metadata = body.get("metadata", thread.metadata)
                return 200, {"conversation": thread.shown()}
            case ["GET", "participants"]:
                return 200, {"participants": [{"id": self._id(), "userId": thread.user["id"]}]}
            case ["GET", "messages"]:
                return 200, self._page(thread, request.url.params)
            case ["POST", "messages"]:
                return 201, {"messages": [self._post(thread, body)]}
            case ["POST", verb] if verb in _VERBS:
                self._use(thread, verb, body)
                return 200, {}
            case _:
                raise Refused(404, "not_found")

    def _page(self, thread: Thread, query: httpx.QueryParams) -> Raw:
        ids = [each["id"] for each in thread.messages]
        if "page[after]" in query and "page[before]" in query:
            raise Refused(400, "bad_request")
        if "page[after]" in query:
            start = ids.index(query["page[after]"]) + 1
            end = min(len(ids), start + self.page_size)
            more = end < len(ids)
        else:
            end = ids.index(query["page[before]"]) if "page[before]" in query else len(ids)
            start = max(0, end - self.page_size)
            more = start > 0
        return {"messages": thread.messages[start:end], "meta": {"hasMore": more}, "links": {}}

    def _post(self, thread: Thread, body: Raw) -> Raw:
        if thread.full:
            raise Refused(423, "locked")
        author, content = body["author"], body["content"]
        known = {thread.user["id"], thread.user["externalId"]}
        if author["type"] == "user" and author.get("userId", author.get("userExternalId")) not in known:
            raise Refused(400, "bad_request")
        shown = {name: value for name, value in author.items() if name != "userId"}
        if author["type"] == "user":
            shown = {**author, "displayName": name_of(thread.user)}
        told = {**shown, "user": thread.user} if author["type"] == "user" else shown
        source = {"type": "api:conversations"}
        return self._add(thread, shown, content, source, told=told, metadata=body.get("metadata"))

    def _use(self, thread: Thread, verb: str, body: Raw) -> None:
        target = None
        if verb in {"passControl", "offerControl"}:
            target = self._integration(thread, body["switchboardIntegration"])
            if verb == "offerControl" and target is thread.active:
                raise Refused(400, "bad_request")
        if verb == "acceptControl" and thread.pending is None:
            raise Refused(403, "forbidden")
        if verb == "releaseControl" and thread.active is None:
            raise Refused(403, "forbidden")
        self._move(thread, verb, target, body.get("metadata") or {})

    def _integration(self, thread: Thread, wanted: str) -> Raw:
        if wanted == "next":
            wanted = (thread.active or self.default).get("nextSwitchboardIntegrationId", "")
        for name in ("id", "name", "integrationType"):
            found = [each for each in self.board if each[name] == wanted]
            if found:
                return found[0]
        raise Refused(404, "switchboard_integration_not_found")

    def _move(self, thread: Thread, verb: str, target: Raw | None, metadata: Raw) -> None:
        match verb:
            case "passControl":
                thread.active, thread.pending = target, None
            case "offerControl":
                thread.pending = target
            case "acceptControl":
                thread.active, thread.pending = thread.pending, None
            case "releaseControl":
                thread.active = thread.pending = None
        self.moves.append((verb, metadata))
        self.tell(f"switchboard:{verb}", {"conversation": thread.told(), "metadata": metadata})

    def _user(self, method: str, which: str, body: Raw) -> Raw:
        found = [each for each in self.users.values() if which in {each["id"], each["externalId"]}]
        if not found:
            raise Refused(404, "user_not_found")
        if method == "PATCH":
            found[0].update(body)
        return found[0]

    def _made_or_listed(self, method: str, what: str, body: Raw, query: httpx.QueryParams) -> tuple[int, Raw]:
        match (method, what):
            case ("POST", "users"):
                return 201, {"user": self._make_user(body)}
            case ("POST", _):
                return 201, {"conversation": self._make_thread(body).shown()}
            case _:
                wanted = query["filter[userExternalId]"]
                return 200, {"conversations": self._threads_of(wanted), "meta": {"hasMore": False}}

    def _make_user(self, body: Raw) -> Raw:
        if body.get("externalId") in {each["externalId"] for each in self.users.values()}:
            raise Refused(409, "user_already_exists")
        return self.welcome("", **body)

    def _make_thread(self, body: Raw) -> Thread:
        (participant,) = body["participants"]
        (user,) = self._called(participant["userExternalId"])
        thread = self.open_thread(user, source="api:conversations")
        thread.metadata = body.get("metadata") or {}
        return thread

    def _threads_of(self, external_id: str) -> list[Raw]:
        users = self._called(external_id)
        return [each.shown() for each in self.threads.values() if each.user in users]

    def _called(self, external_id: str) -> list[Raw]:
        found = [each for each in self.users.values() if each["externalId"] == external_id]
        if not found:
            raise Refused(404, "user_not_found")
        return found

    def _by_email(self, email: str) -> list[Raw]:
        return [u for u in self.users.values() if email in {each["value"] for each in u["identities"]}]

    def _store(self, request: httpx.Request) -> Raw:
        form = _FORM.search(request.content)
        if form is None or request.url.params.get("access") != "public":
            raise Refused(400, "bad_request")
        name = form[1].decode()
        self.files[name] = form[2]
        return {"attachment": {"mediaUrl": f"https://media.example/{self._id()}/{name}"}}

    def _add(
        self,
        thread: Thread,
        author: Raw,
        content: Raw,
        source: Raw,
        *,
        told: Raw | None = None,
        metadata: Raw | None = None,
    ) -> Raw:
        message: Raw = {
            "id": self._id(),
            "received": iso(self._now()),
            "author": author,
            "content": content,
            "source": source,
        }
        if metadata:
            message["metadata"] = metadata
        thread.messages.append(message)
        webhook = {"conversation": thread.told(), "message": message | {"author": told or author}}
        self.tell("conversation:message", webhook)
        return message

    def _now(self) -> datetime:
        if self._live:
            return datetime.now(UTC)
        return STARTED + timedelta(seconds=sum(len(each.messages) for each in self.threads.values()))

    def _id(self) -> str:
        return f"68a2{next(self._numbers):020x}"
