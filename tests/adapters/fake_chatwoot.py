"""A Chatwoot of one conversation, as far as our requests reach; it answers as Chatwoot does."""

import json
import re
from typing import Any

import httpx

_BOT_MAY = re.compile(r"POST .*/(messages|toggle_status|assignments)")
AGENTS = {6: {"id": 6, "name": "Lin Wei"}}
TEAMS = {2: {"id": 2, "name": "after-sales"}}


class FakeChatwoot(httpx.AsyncBaseTransport):
    """Conversation 2207 of account 3, with a user's and a bot's token.

    `keeps_mark` false makes it an older release, which forgets `content_attributes`.
    """

    def __init__(self, *, keeps_mark: bool = True) -> None:
        self.keeps_mark = keeps_mark
        self.messages: list[dict[str, Any]] = []
        self.labels = ["after-sales"]
        self.status = "pending"
        self.assignments: list[dict[str, Any]] = []
        self.contact = {
            "id": 412,
            "name": "陳雅婷",
            "email": "chen.yating@example.com",
            "phone_number": None,
            "identifier": "shop-88213",
            "custom_attributes": {"member_level": "gold"},
            "last_activity_at": 1794622811,
        }
        self.conversations: list[dict[str, Any]] = []
        self.log: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        path = request.url.path.removeprefix("/api/v1/accounts/3/")
        token = request.headers["api_access_token"]
        self.log.append((token, f"{request.method} {path}"))
        if token == "bot-token" and not _BOT_MAY.match(f"{request.method} {path}"):
            return httpx.Response(401, json={"error": "Access to this endpoint is not authorized for bots"})
        if token not in {"bot-token", "user-token"}:
            return httpx.Response(401, json={"error": f"Invalid Access Token {token}"})
        body = json.loads(request.content) if request.content else {}
        return self._answer(f"{request.method} {path}", body, request.url.params)

    def _answer(self, what: str, body: dict[str, Any], query: httpx.QueryParams) -> httpx.Response:
        payload: Any
        match what.split("/"):
            case ["GET ", "api", "v1", "profile"]:
                payload = {"name": "Deskbridge", "accounts": [{"id": 3}]}
            case ["POST conversations", "2207", "messages"]:
                payload = self.post(**body)
            case ["GET conversations", "2207", "messages"]:
                payload = {"meta": {}, "payload": self._listed(query)}
            case ["POST conversations", "2207", "toggle_status"]:
                self.status = body["status"]
                payload = {"meta": {}, "payload": {"success": True}}
            case ["POST conversations", "2207", "assignments"]:
                self.assignments.append(body)
                payload = AGENTS.get(body.get("assignee_id", 0)) or TEAMS.get(body.get("team_id", 0))
            case [_, "2207", "labels"]:
                self.labels = body.get("labels", self.labels)
                payload = {"payload": self.labels}
            case ["GET conversations"]:
                payload = {"data": {"payload": self._page(query)}}
            case _:
                return self._contacts(what, body, query)
        return httpx.Response(200, json=payload)

    def _contacts(self, what: str, body: dict[str, Any], query: httpx.QueryParams) -> httpx.Response:
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

    def post(self, content: str, **fields: Any) -> dict[str, Any]:
        """Store a message as the API would."""
        number = len(self.messages) + 1
        message = {
            "id": number,
            "content": content,
            "message_type": 1,
            "created_at": 1794622811 + number,
            "private": fields.get("private", False),
            "content_attributes": fields.get("content_attributes", {}) if self.keeps_mark else {},
            "sender": {"id": 6, "name": "Deskbridge", "type": "user"},
        }
        self.messages.append(message)
        return message

    def _listed(self, query: httpx.QueryParams) -> list[dict[str, Any]]:
        if "after" in query:
            return [each for each in self.messages if each["id"] > int(query["after"])][:100]
        before = int(query.get("before", len(self.messages) + 1))
        return [each for each in self.messages if each["id"] < before][-20:]

    def _page(self, query: httpx.QueryParams) -> list[dict[str, Any]]:
        newest_first = sorted(self.conversations, key=lambda each: -each["last_activity_at"])
        start = (int(query["page"]) - 1) * 25
        return newest_first[start : start + 25]
