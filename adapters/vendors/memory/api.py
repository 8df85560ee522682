"""The reference helpdesk's REST API, as an integration sees it."""

import heapq
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from adapters.vendors.memory.mapping import US
from adapters.vendors.memory.records import Agent, Conversation, Customer, File, Message
from adapters.vendors.memory.routes import Request, Routes
from adapters.vendors.memory.state import TEAMS, OutdatedError, State, UnknownRecordError
from adapters.vendors.memory.switchboard import Move, Switchboard

_PAGE = 100


class _NewFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    content_type: str
    content: bytes
    """In base64."""


class _NewMessage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: str
    author: Literal["bot", "agent", "customer"] = "bot"
    agent: Agent | None = None
    private: bool = False
    token: str | None = None
    files: list[_NewFile] = msgspec.field(default_factory=list)


class _ConversationPatch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    status: Literal["pending", "open", "snoozed", "resolved"] | UnsetType = UNSET
    assignee_id: str | UnsetType | None = UNSET
    team_id: str | UnsetType | None = UNSET
    subject: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    if_updated_at: datetime | UnsetType = UNSET


class _TagChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    add: list[str] = msgspec.field(default_factory=list)
    remove: list[str] = msgspec.field(default_factory=list)


class _CustomerPatch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: str | UnsetType = UNSET
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class _NewConversation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: str
    text: str
    subject: str | None = None
    channel: str = "other"
    private: bool = False
    tags: list[str] = msgspec.field(default_factory=list)
    name: str = ""
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None


class _Listed(Protocol):
    @property
    def revision(self) -> int: ...


class Api:
    """The handlers under `/api`."""

    def __init__(self, state: State, switchboard: Switchboard) -> None:
        self._state = state
        self._switchboard = switchboard
        self.routes = Routes(
            ("GET", "/api/me", self._me),
            ("GET", "/api/agents", self._agents),
            ("GET", "/api/customers", self._customers),
            ("GET", "/api/customers/{}", self._customer),
            ("PATCH", "/api/customers/{}", self._patch_customer),
            ("GET", "/api/conversations", self._conversations),
            ("POST", "/api/conversations", self._open),
            ("POST", "/api/conversations/{}/control", self._move_control),
            ("GET", "/api/conversations/{}", self._conversation),
            ("PATCH", "/api/conversations/{}", self._patch_conversation),
            ("POST", "/api/conversations/{}/tags", self._change_tags),
            ("GET", "/api/conversations/{}/messages", self._messages),
            ("POST", "/api/conversations/{}/messages", self._post_message),
            ("GET", "/api/conversations/{}/messages/{}", self._message),
        )

    async def _me(self, _: Request) -> Any:
        return {"name": "Deskbridge bot", "role": "integration"}

    async def _agents(self, _: Request) -> Any:
        return {"agents": list(self._state.agents.values()), "teams": TEAMS}

    async def _customers(self, request: Request) -> Any:
        wanted = {
            key: request.query[key] for key in ("email", "phone", "external_id") if key in request.query
        }
        found = [
            customer
            for customer in self._state.customers.values()
            if all(getattr(customer, key) == value for key, value in wanted.items())
        ]
        return _page(request, [each for each in found if _is_after(request, each)])

    async def _customer(self, request: Request) -> Any:
        return self._state.customer(request.path_ids[0])

    async def _patch_customer(self, request: Request) -> Any:
        customer = self._state.customer(request.path_ids[0])
        known = request.headers.get("if-match", "*")
        if known not in {"*", f'"{customer.revision}"'}:
            raise OutdatedError(f"customer {customer.id} has revision {customer.revision}, not {known}")
        patch = request.read(_CustomerPatch)
        attributes = _merged(customer.attributes, patch.attributes)
        name = customer.name if patch.name is UNSET else patch.name
        self._state.change_customer(customer, by="bot", name=name, attributes=attributes)
        return customer

    async def _conversations(self, request: Request) -> Any:
        token = request.query.get("token")
        known = [each for each in self._state.conversations.values() if token in {None, each.token}]
        return _page(request, [each for each in known if _is_after(request, each)])

    async def _open(self, request: Request) -> Any:
        new = request.read(_NewConversation)
        addresses = {"email": new.email, "phone": new.phone, "external_id": new.external_id}
        customer = self._state.known(**addresses) or self._state.welcome(
            f"cus_{new.token}", name=new.name, **addresses
        )
        conversation = self._state.open(
            customer, channel=new.channel, subject=new.subject, token=new.token, tags=new.tags
        )
        author = "bot" if new.private else "customer"
        self._state.post(conversation, new.text, author=author, private=new.private, token=new.token)
        return conversation

    async def _move_control(self, request: Request) -> Any:
        conversation = self._state.conversation(request.path_ids[0])
        return self._switchboard.move(conversation, request.read(Move), by=US)

    async def _conversation(self, request: Request) -> Any:
        return self._state.conversation(request.path_ids[0])

    async def _patch_conversation(self, request: Request) -> Any:
        conversation = self._state.conversation(request.path_ids[0])
        patch = request.read(_ConversationPatch)
        if patch.if_updated_at not in {UNSET, conversation.updated_at}:
            raise OutdatedError(f"conversation {conversation.id} was updated at {conversation.updated_at}")
        plain = {name: getattr(patch, name) for name in ("status", "subject", "tags")}
        fields = {name: value for name, value in plain.items() if value is not UNSET}
        fields["attributes"] = _merged(conversation.attributes, patch.attributes)
        if patch.assignee_id is not UNSET:
            fields["assignee"] = self._state.agent(patch.assignee_id) if patch.assignee_id else None
        if patch.team_id is not UNSET:
            if patch.team_id and patch.team_id not in TEAMS:
                raise UnknownRecordError(f"no team {patch.team_id}")
            fields["team_id"] = patch.team_id
        self._state.change(conversation, by="bot", **fields)
        return conversation

    async def _change_tags(self, request: Request) -> Any:
        conversation = self._state.conversation(request.path_ids[0])
        change = request.read(_TagChange)
        self._state.change_tags(conversation, by="bot", add=change.add, remove=change.remove)
        return conversation

    async def _messages(self, request: Request) -> Any:
        thread = self._state.thread(request.path_ids[0])
        token = request.query.get("token")
        return _page(request, [message for message in thread if token in {None, message.token}])

    async def _message(self, request: Request) -> Message:
        conversation_id, message_id = request.path_ids
        thread = self._state.thread(conversation_id)
        found = next((message for message in thread if message.id == message_id), None)
        if found is None:
            raise UnknownRecordError(f"no message {message_id}")
        return found

    async def _post_message(self, request: Request) -> Message:
        conversation = self._state.conversation(request.path_ids[0])
        new = request.read(_NewMessage)
        return self._state.post(
            conversation,
            new.text,
            author=new.author,
            agent=new.agent,
            private=new.private,
            token=new.token,
            files=tuple(self._lay_down(request, each) for each in new.files),
        )

    def _lay_down(self, request: Request, new: _NewFile) -> File:
        base_url = f"http://{request.headers.get('host', '')}"
        return self._state.lay_down(new.name, new.content_type, new.content, base_url=base_url)


def _merged(known: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**known, **patch}.items() if value is not None}


def _is_after(request: Request, record: Customer | Conversation) -> bool:
    since = request.query.get("updated_after")
    return since is None or record.updated_at > datetime.fromisoformat(since)


def _page(request: Request, found: Sequence[_Listed]) -> dict[str, Any]:
    """What changed after the cursor, oldest change first. The cursor is the last revision seen."""
    after = int(request.query.get("cursor", "0"))
    limit = min(int(request.query.get("limit", _PAGE)), _PAGE)
    # Not sorted whole: a helpdesk with a hundred thousand conversations must stay quick.
    later = (each for each in found if each.revision > after)
    following = heapq.nsmallest(limit + 1, later, key=lambda each: each.revision)
    items = following[:limit]
    cursor = items[-1].revision if items else after
    return {"items": items, "cursor": str(cursor), "last": len(following) <= limit, "total": len(found)}
