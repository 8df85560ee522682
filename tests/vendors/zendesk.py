"""Zendesk, as far as our requests reach: it answers and changes as it does, and tells of it (`tell`)."""

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Raw = dict[str, Any]

STARTED = datetime(2026, 11, 14, 2, 20, tzinfo=UTC)
BRIDGE, AGENT, CUSTOMER = 9001, 8006, 4412
SETTINGS: Raw = {
    "email": "bridge@example.com",
    "token": "api-token",
    "webhook_secret": "hook-secret",
    "bot_user_id": BRIDGE,
    "ticket_fields": "order_number: 360001, plan: 360002",
}
_BASIC = "Basic " + base64.b64encode(b"bridge@example.com/token:api-token").decode()
_KNOWN = {_BASIC, "Bearer oauth-token"}
_EXPORT_DELAY = timedelta(minutes=1)


def user(number: int, name: str, **about: Any) -> Raw:
    """A user as the API shapes them."""
    return {
        "id": number,
        "name": name,
        "role": "end-user",
        "email": None,
        "phone": None,
        "external_id": None,
        "shared_phone_number": None,
        "locale": "zh-TW",
        "active": True,
        "verified": False,
        "user_fields": {},
        "created_at": stamp(STARTED),
        "updated_at": stamp(STARTED),
    } | about


def stamp(at: datetime) -> str:
    """A time as the API writes it: in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeZendesk(httpx.AsyncBaseTransport):
    """An account with an agent, a customer and the bridge's own user; tickets come into being by use."""

    def __init__(self, *, page_size: int = 1000) -> None:
        self.page_size = page_size
        self.users: dict[int, Raw] = {}
        self.tickets: dict[int, Raw] = {}
        self.comments: dict[int, list[Raw]] = {}
        self.files: dict[str, Raw] = {}
        self.log: list[str] = []
        self.keys: dict[str, int] = {}
        self._numbers = itertools.count(5158)
        self._ids = itertools.count(70_001)
        self._changes: dict[tuple[str, int], int] = {}
        self._sequence = itertools.count(1)
        self.clock: Callable[[], datetime] = lambda: STARTED + timedelta(seconds=len(self.log))
        self.add_user(user(BRIDGE, "Deskbridge", role="admin", email="bridge@example.com"))
        self.add_user(user(AGENT, "Lin Wei", role="agent", email="lin.wei@example.com"))
        self.add_user(user(CUSTOMER, "陳雅婷", email="chen.yating@example.com", external_id="shop-88213"))

    def add_user(self, raw: Raw) -> Raw:
        """Somebody new."""
        self.users[raw["id"]] = raw
        self._touch("users", raw)
        self.tell("user.created", raw, {}, actor=raw["id"])
        return raw

    def tell(self, event: str, about: Raw, what: Raw, *, actor: int) -> None:
        """Where a subclass sends webhooks."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await request.aread()
        path = request.url.path.removeprefix("/api/v2/")
        self.log.append(f"{request.method} {path}")
        if request.headers.get("authorization") not in _KNOWN:
            response = httpx.Response(401, json={"error": "Couldn't authenticate you"})
        else:
            response = self._answer(request, path.split("/"))
        headers = {"x-rate-limit": "700", "x-rate-limit-remaining": "698", "ratelimit-limit": "700"}
        headers |= {"ratelimit-remaining": "698", "ratelimit-reset": "41"}
        if path.startswith("incremental"):
            headers["zendesk-ratelimit-incremental-exports"] = "total=10; remaining=9; resets=41"
        response.headers.update(headers)
        return response

    def _answer(self, request: httpx.Request, path: list[str]) -> httpx.Response:
        query = request.url.params
        is_json = request.headers.get("content-type") == "application/json"
        body = json.loads(request.content) if is_json and request.content else {}
        match (request.method, *path):
            case ("GET", "users", *_) | ("POST", "users", *_) | ("PUT", "users", *_):
                response = self._of_users(request.method, path[1:], query, body)
            case ("POST", "uploads"):
                response = self._take_file(request)
            case ("GET", "incremental", what, "cursor"):
                response = self._export(what, query)
            case ("GET", "tickets"):
                found = [t for t in self.tickets.values() if t["external_id"] == query.get("external_id")]
                response = _ok(tickets=found)
            case ("POST", "tickets"):
                response = self._create(body["ticket"], request.headers.get("idempotency-key"))
            case (method, "tickets", number, *rest) if self._has(number):
                response = self._of_ticket(method, self.tickets[int(number)], rest, query, body)
            case _:
                response = _refused(404, "RecordNotFound", "Not found")
        return response

    def _has(self, number: str) -> bool:
        held = self.tickets.get(int(number)) if number.isdecimal() else None
        return held is not None and held["status"] != "deleted"

    def _of_users(self, method: str, path: list[str], query: httpx.QueryParams, body: Raw) -> httpx.Response:
        match (method, *path):
            case ("GET", "me"):
                response = _ok(user=self.users[BRIDGE])
            case ("GET", "search"):
                response = _ok(users=list(self._searched(query)))
            case ("POST", "create_or_update"):
                response = self._create_or_update(body["user"])
            case (_, number, *_) if not number.isdecimal() or int(number) not in self.users:
                response = _refused(404, "RecordNotFound", "Not found")
            case ("GET", number):
                response = _ok(user=self.users[int(number)])
            case ("GET", number, "identities"):
                response = _ok(identities=self._identities(self.users[int(number)]), **_meta(None))
            case ("PUT", number):
                held = self.users[int(number)]
                held["user_fields"] |= body["user"].pop("user_fields", {})
                held |= body["user"]
                self._touch("users", held)
                self.tell("user.details_changed", held, {}, actor=BRIDGE)
                response = _ok(user=held)
            case _:
                raise NotImplementedError(f"{method} users/{path}")
        return response

    def _searched(self, query: httpx.QueryParams) -> Iterator[Raw]:
        """By external id, or by a word like `email:"…"`; Zendesk finds secondary addresses and parts, too."""
        kind, _, wanted = query.get("query", "").partition(":")
        for held in self.users.values():
            if "external_id" in query:
                if str(held["external_id"]).casefold() == query["external_id"].casefold():
                    yield held
            elif wanted.strip('"').casefold() in str(held.get(kind)).casefold():
                yield held

    def _create_or_update(self, given: Raw) -> httpx.Response:
        for key in ("external_id", "email"):
            held = next((u for u in self.users.values() if given.get(key) and u[key] == given[key]), None)
            if held is not None:
                return _ok(user=held | given)
        fields = {name: value for name, value in given.items() if name != "skip_verify_email"}
        made = self.add_user(user(next(self._ids), **fields))
        return httpx.Response(201, json={"user": made})

    def _identities(self, held: Raw) -> list[Raw]:
        kinds = (("email", held["email"]), ("phone_number", held["phone"]))
        return [
            {
                "id": held["id"] * 10 + place,
                "user_id": held["id"],
                "type": kind,
                "value": value,
                "primary": True,
                "verified": held["verified"],
            }
            for place, (kind, value) in enumerate(kinds)
            if value
        ]

    def _take_file(self, request: httpx.Request) -> httpx.Response:
        kind = request.headers["content-type"]
        token = self.lay_down(request.url.params["filename"], kind, request.content)
        attachment = {name: value for name, value in self.files[token].items() if name != "content"}
        return httpx.Response(201, json={"upload": {"token": token, "attachment": attachment}})

    def lay_down(self, name: str, kind: str, content: bytes) -> str:
        """Keep a file until a comment names its token."""
        number = next(self._ids)
        token = f"upload{number}"
        self.files[token] = {
            "id": number,
            "file_name": name,
            "content_url": f"https://acme.zendesk.com/attachments/token/{number}/?name={name}",
            "content_type": kind,
            "size": len(content),
            "content": content,
        }
        return token

    def _export(self, what: str, query: httpx.QueryParams) -> httpx.Response:
        if "cursor" in query:
            seen = int(query["cursor"].removeprefix("after-"))
        elif int(query["start_time"]) > (self.clock() - _EXPORT_DELAY).timestamp():
            return _refused(422, "StartTimeTooRecent", "Too recent start_time")
        else:
            seen = 0
        ordered = sorted((n, number) for (kind, number), n in self._changes.items() if kind == what)
        after = [(n, number) for n, number in ordered if n > seen]
        page = after[: self.page_size]
        held = self.tickets if what == "tickets" else self.users
        cursor = f"after-{page[-1][0] if page else seen}"
        return _ok(
            **{what: [held[number] for _, number in page]},
            after_cursor=cursor,
            after_url=f"https://acme.zendesk.com/api/v2/incremental/{what}/cursor?cursor={cursor}",
            end_of_stream=len(page) == len(after),
        )

    def _create(self, given: Raw, key: str | None) -> httpx.Response:
        if key in self.keys:
            made = self.tickets[self.keys[key]]
            return httpx.Response(201, json={"ticket": made}, headers={"x-idempotency-lookup": "hit"})
        channel = {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}
        ticket = self.new_ticket(given["requester_id"], given["subject"], via=channel)
        ticket |= {"external_id": given.get("external_id"), "tags": given.get("tags", [])}
        audit = self.comment(ticket, given["comment"], metadata=given.get("metadata"), actor=BRIDGE)
        if key:
            self.keys[key] = ticket["id"]
        lookup = {"x-idempotency-lookup": "miss"}
        return httpx.Response(201, json={"ticket": ticket, "audit": audit}, headers=lookup)

    def delete(self, ticket: Raw) -> None:
        """An agent deletes a ticket: nobody finds it any more, but the export has it as deleted."""
        ticket["status"] = "deleted"
        self._touch("tickets", ticket)
        self.tell("ticket.soft_deleted", ticket, {}, actor=AGENT)

    def take_back(self, ticket: Raw, status: str) -> None:
        """An agent restores a deleted ticket, with the status that it had."""
        ticket["status"] = status
        self._touch("tickets", ticket)
        self.tell("ticket.undeleted", ticket, {}, actor=AGENT)

    def new_ticket(self, requester: int, subject: str, *, via: Raw | None = None) -> Raw:
        """A ticket without a comment yet."""
        now = stamp(self.clock())
        ticket: Raw = {
            "id": next(self._numbers),
            "external_id": None,
            "via": via or {"channel": "chat", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": now,
            "updated_at": now,
            "subject": subject,
            "status": "new",
            "requester_id": requester,
            "submitter_id": requester,
            "assignee_id": None,
            "group_id": None,
            "tags": [],
            "custom_fields": [{"id": number, "value": None} for number in (360001, 360002)],
        }
        self.tickets[ticket["id"]] = ticket
        self.comments[ticket["id"]] = []
        self._touch("tickets", ticket)
        self.tell("ticket.created", ticket, {}, actor=requester)
        return ticket

    def _of_ticket(
        self, method: str, ticket: Raw, rest: list[str], query: httpx.QueryParams, body: Raw
    ) -> httpx.Response:
        match (method, *rest):
            case ("GET",):
                return _ok(ticket=ticket)
            case ("GET", "comments"):
                return self._list(ticket, query)
            case ("PUT", "tags"):
                return self._retag(ticket, sorted({*ticket["tags"], *body["tags"]}))
            case ("DELETE", "tags"):
                return self._retag(ticket, [each for each in ticket["tags"] if each not in body["tags"]])
            case ("PUT",):
                return self._update(ticket, body["ticket"])
            case _:
                raise NotImplementedError(f"{method} {rest}")

    def _list(self, ticket: Raw, query: httpx.QueryParams) -> httpx.Response:
        held = sorted(self.comments[ticket["id"]], key=lambda each: int(each["id"]))
        if query.get("sort") == "-created_at":
            held.reverse()
        ids = [str(each["id"]) for each in held]
        start = ids.index(query["page[after]"]) + 1 if "page[after]" in query else 0
        page = held[start : start + min(int(query["page[size]"]), self.page_size)]
        more = start + len(page) < len(held)
        users = [self.users[number] for number in {each["author_id"] for each in page}]
        cursor = str(page[-1]["id"]) if page else None
        return _ok(comments=page, users=users, **_meta(cursor, more=more))

    def _retag(self, ticket: Raw, tags: list[str]) -> httpx.Response:
        self.change(ticket, {"tags": tags}, actor=BRIDGE)
        return _ok(tags=tags)

    def _update(self, ticket: Raw, given: Raw) -> httpx.Response:
        if ticket["status"] == "closed":
            return _refused(422, "RecordInvalid", "Status: closed prevents ticket update")
        if given.pop("safe_update", False) and given.pop("updated_stamp") != ticket["updated_at"]:
            return _refused(409, "UpdateConflict", "Safe Update prevented the update")
        given.pop("updated_stamp", None)
        comment, metadata = given.pop("comment", None), given.pop("metadata", None)
        audit: Raw = {"id": next(self._ids), "created_at": stamp(self.clock()), "events": []}
        if comment is not None:
            audit = self.comment(ticket, comment, metadata=metadata, actor=BRIDGE)
        if given.get("status") == "solved" and ticket["assignee_id"] is None:
            given["assignee_id"] = BRIDGE  # whoever solves it
        for field in given.pop("custom_fields", ()):
            known = [f for f in ticket["custom_fields"] if f["id"] != field["id"]]
            given["custom_fields"] = [*given.get("custom_fields", known), field]
        assignee = given.get("assignee_id")
        if assignee is not None and self.users.get(assignee, {}).get("role") not in {"agent", "admin"}:
            del given["assignee_id"]  # passed over in silence
        self.change(ticket, given, actor=BRIDGE)
        return _ok(ticket=ticket, audit=audit)

    def change(self, ticket: Raw, fields: Raw, *, actor: int) -> None:
        """Change a ticket, and tell of it, one event for each field."""
        if fields.get("assignee_id") and ticket["status"] == "new":
            fields = {"status": "open"} | fields
        before = {name: ticket[name] for name, value in fields.items() if ticket[name] != value}
        ticket |= fields
        if before:
            self._touch("tickets", ticket)
        for name, old in before.items():
            self.tell(_EVENTS[name], ticket, {"previous": old, "current": ticket[name]}, actor=actor)

    def comment(self, ticket: Raw, given: Raw, *, actor: int, metadata: Raw | None = None) -> Raw:
        """Store a comment; the customer's opens what waits or is solved. Returns the audit."""
        author = given.get("author_id", actor)
        is_customer = self.users[author]["role"] == "end-user"
        files = [{k: v for k, v in self.files[t].items() if k != "content"} for t in given.get("uploads", ())]
        made = {
            "id": next(self._ids),
            "type": "Comment",
            "author_id": author,
            "body": given["body"],
            "public": given.get("public", True),
            "attachments": files,
            "created_at": stamp(self.clock()),
            "via": {"channel": "api" if actor == BRIDGE else "web"},
            "metadata": {"system": {}, "custom": metadata or {}},
        }
        self.comments[ticket["id"]].append(made)
        if is_customer and ticket["status"] in {"pending", "hold", "solved"}:
            self.change(ticket, {"status": "open"}, actor=author)
        self._touch("tickets", ticket)
        self.tell("ticket.comment_added", ticket, made, actor=actor if actor == BRIDGE else author)
        for each in files:
            self.tell(
                "ticket.attachment_linked_to_comment", ticket, made | {"attachment": each}, actor=author
            )
        return {"id": next(self._ids), "created_at": made["created_at"], "events": [made]}

    def _touch(self, kind: str, held: Raw) -> None:
        held["updated_at"] = stamp(self.clock())
        self._changes[kind, held["id"]] = next(self._sequence)


_EVENTS = {
    "status": "ticket.status_changed",
    "tags": "ticket.tags_changed",
    "subject": "ticket.subject_changed",
    "assignee_id": "ticket.agent_assignment_changed",
    "group_id": "ticket.group_assignment_changed",
    "custom_fields": "ticket.custom_field_changed",
}


def _meta(cursor: str | None, *, more: bool = False) -> Raw:
    return {"meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None}, "links": {}}


def _ok(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def _refused(status: int, error: str, description: str) -> httpx.Response:
    return httpx.Response(status, json={"error": error, "description": description})
