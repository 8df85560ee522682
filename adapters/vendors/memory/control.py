"""Control over HTTP, for checkers and demos that run in another process."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from adapters.vendors.memory.allowance import Allowance
from adapters.vendors.memory.delivery import Subscription
from adapters.vendors.memory.faults import Misbehaviour
from adapters.vendors.memory.routes import Request, Routes
from adapters.vendors.memory.switchboard import Move

if TYPE_CHECKING:
    from adapters.vendors.memory.server import MemoryHelpdesk


class _Say(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    text: str
    conversation_id: str | None = None
    channel: str = "chat"
    stream: str | None = None
    subject: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    verified: list[str] = msgspec.field(default_factory=list)
    language: str | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class _AgentSay(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: str
    agent_id: str = "agent_1"
    private: bool = False


class _Status(msgspec.Struct, forbid_unknown_fields=True):
    status: Literal["pending", "open", "snoozed", "resolved"]


class _Failure(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    temporary: bool = False


class _Assignee(msgspec.Struct, forbid_unknown_fields=True):
    agent_id: str | None


class _Tags(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    add: list[str] = msgspec.field(default_factory=list)
    remove: list[str] = msgspec.field(default_factory=list)


class _Attributes(msgspec.Struct, forbid_unknown_fields=True):
    attributes: dict[str, Any]


class _Merge(msgspec.Struct, forbid_unknown_fields=True):
    gone_id: str


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    ahead: float


class Control:
    """The handlers under `/control`: each calls the method of the same name on the helpdesk."""

    def __init__(self, helpdesk: "MemoryHelpdesk") -> None:
        self._helpdesk = helpdesk
        self.routes = Routes(
            ("POST", "/control/customers/{}/say", self._say),
            ("POST", "/control/customers/{}/attributes", self._attributes),
            ("POST", "/control/customers/{}/merge", self._merge),
            ("POST", "/control/conversations/{}/agent_say", self._agent_say),
            ("POST", "/control/messages/{}/fail", self._fail),
            ("POST", "/control/conversations/{}/control", self._move_control),
            ("POST", "/control/conversations/{}/status", self._status),
            ("POST", "/control/conversations/{}/assignee", self._assignee),
            ("POST", "/control/conversations/{}/tags", self._tags),
            ("PUT", "/control/webhook", self._webhook),
            ("PUT", "/control/clock", self._clock),
            ("PUT", "/control/allowances", self._allow),
            ("POST", "/control/misbehave", self._misbehave),
            ("DELETE", "/control/misbehave", self._behave),
            ("POST", "/control/drain", self._drain),
            ("GET", "/control/log", self._log),
            ("GET", "/control/happened", self._happened),
            ("GET", "/control/conversations/{}", self._conversation),
        )

    async def _say(self, request: Request) -> Any:
        say = request.read(_Say)
        details = {name: value for name, value in msgspec.structs.asdict(say).items() if value is not None}
        return self._helpdesk.customer_says(request.path_ids[0], details.pop("text"), **details)

    async def _agent_say(self, request: Request) -> Any:
        say = request.read(_AgentSay)
        return self._helpdesk.agent_says(
            request.path_ids[0], say.text, agent_id=say.agent_id, private=say.private
        )

    async def _move_control(self, request: Request) -> Any:
        move = request.read(Move)
        return self._helpdesk.move_control(request.path_ids[0], move.act, **move.metadata)

    async def _fail(self, request: Request) -> Any:
        failure = request.read(_Failure)
        return self._helpdesk.fails(request.path_ids[0], failure.reason, temporary=failure.temporary)

    async def _status(self, request: Request) -> Any:
        return self._helpdesk.set_status(request.path_ids[0], request.read(_Status).status)

    async def _assignee(self, request: Request) -> Any:
        return self._helpdesk.assign(request.path_ids[0], request.read(_Assignee).agent_id)

    async def _tags(self, request: Request) -> Any:
        change = request.read(_Tags)
        return self._helpdesk.change_tags(request.path_ids[0], add=change.add, remove=change.remove)

    async def _attributes(self, request: Request) -> Any:
        changed = request.read(_Attributes).attributes
        return self._helpdesk.change_attributes(request.path_ids[0], **changed)

    async def _merge(self, request: Request) -> Any:
        return self._helpdesk.merge_customers(request.path_ids[0], request.read(_Merge).gone_id)

    async def _webhook(self, request: Request) -> Any:
        self._helpdesk.courier.subscription = request.read(Subscription)
        return {}

    async def _clock(self, request: Request) -> Any:
        self._helpdesk.set_clock(request.read(_Clock).ahead)
        return {}

    async def _allow(self, request: Request) -> Any:
        self._helpdesk.allow(*request.read(list[Allowance]))
        return {}

    async def _misbehave(self, request: Request) -> Any:
        self._helpdesk.faults.add(request.read(Misbehaviour))
        return {}

    async def _behave(self, _: Request) -> Any:
        self._helpdesk.behave()
        return {}

    async def _drain(self, _: Request) -> Any:
        await self._helpdesk.drain()
        return {}

    async def _log(self, _: Request) -> Any:
        return {
            "requests": self._helpdesk.requests,
            "messages": self._helpdesk.messages,
            "deliveries": self._helpdesk.deliveries,
        }

    async def _happened(self, request: Request) -> Any:
        after = int(request.query.get("after", "0"))
        return {"items": self._helpdesk.happened[after:]}

    async def _conversation(self, request: Request) -> Any:
        conversation = self._helpdesk.state.conversation(request.path_ids[0])
        return {"conversation": conversation, "messages": self._helpdesk.state.thread(conversation.id)}
