"""The reference helpdesk as an ASGI application: serve it with any ASGI server."""

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from adapters.vendors.memory.allowance import Allowance, Allowances
from adapters.vendors.memory.api import Api
from adapters.vendors.memory.control import Control
from adapters.vendors.memory.delivery import Courier, Subscription
from adapters.vendors.memory.faults import AFTER, Fault, Faults, Misbehaviour
from adapters.vendors.memory.mapping import US
from adapters.vendors.memory.records import (
    Conversation,
    Customer,
    DeliveryLog,
    Event,
    File,
    Happened,
    Message,
    RequestLog,
)
from adapters.vendors.memory.routes import Request, Routes
from adapters.vendors.memory.state import OutdatedError, State, UnknownRecordError
from adapters.vendors.memory.switchboard import THEM, Act, Move, Switchboard

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, Any]

_TIME_OUT_SECONDS = 30.0
_SLOW_SECONDS = 1.0
_OK = 200


class MemoryHelpdesk:
    """A helpdesk that lives in memory.

    `/api` is what an integration sees, with `token` as its bearer token; `/control` is for those who
    direct the play. The methods below do in process what `/control` does over HTTP; call them from
    the event loop that serves the application.
    """

    def __init__(
        self,
        *,
        token: str = "memory-token",  # noqa: S107 - a made-up one for tests and demos
        webhook_url: str | None = None,
        webhook_secret: str = "memory-webhook-secret",  # noqa: S107 - likewise
        concurrency: int = 8,
        webhook_timeout: float = 10.0,
        seed: int = 0,
        switchboard: bool = False,
    ) -> None:
        self.requests: list[RequestLog] = []
        self.happened: list[Happened] = []
        self.clock_ahead = timedelta()
        self.faults = Faults(seed)
        self._allowances = Allowances()
        self.courier = Courier(self.faults, concurrency=concurrency, timeout=webhook_timeout)
        self.state = State(self._tell, lambda: datetime.now(UTC) + self.clock_ahead)
        self._token = token
        self.switchboard = Switchboard(self.state)
        if switchboard:
            self.state.first = US
        self._api = Api(self.state, self.switchboard)
        self._control = Control(self)
        if webhook_url is not None:
            self.subscribe(webhook_url, webhook_secret)

    @property
    def messages(self) -> list[Message]:
        """Every message ever posted, by anybody, in order."""
        return self.state.messages

    @property
    def deliveries(self) -> list[DeliveryLog]:
        """Every try at a webhook, and every one withheld."""
        return self.courier.log

    def subscribe(self, url: str, secret: str, **options: Any) -> None:
        """Send webhooks to `url` from now on; the options are those of `Subscription`."""
        self.courier.subscription = Subscription(url=url, secret=secret, **options)

    def customer_says(
        self,
        customer_id: str,
        text: str,
        *,
        conversation_id: str | None = None,
        channel: str = "chat",
        stream: str | None = None,
        subject: str | None = None,
        files: tuple[File, ...] = (),
        **details: Any,
    ) -> Message:
        """A customer, new or known, writes into a conversation, new or their current one.

        `details` describe a new customer: name, email, phone, external_id, verified, language, attributes.
        """
        customer = self.state.welcome(customer_id, **details)
        if conversation_id is None:
            conversation = self.state.current(customer, channel=channel, stream=stream, subject=subject)
        else:
            conversation = self.state.conversation(conversation_id)
        return self.state.post(conversation, text, author="customer", files=files)

    def agent_says(
        self,
        conversation_id: str,
        text: str,
        *,
        agent_id: str = "agent_1",
        private: bool = False,
        files: tuple[File, ...] = (),
    ) -> Message:
        """An agent writes in the helpdesk's own window."""
        agent = self.state.agent(agent_id)
        conversation = self.state.conversation(conversation_id)
        return self.state.post(conversation, text, author="agent", agent=agent, private=private, files=files)

    def fails(self, message_id: str, reason: str, *, temporary: bool = False) -> Message:
        """A message that was accepted does not reach the customer after all."""
        message = next(each for each in self.messages if each.id == message_id)
        self.state.fail(message, reason, temporary=temporary)
        return message

    def move_control(self, conversation_id: str, act: Act, **metadata: Any) -> Conversation:
        """The agents' side passes, offers, accepts, refuses or releases control."""
        conversation = self.state.conversation(conversation_id)
        self.switchboard.move(conversation, Move(act=act, metadata=metadata), by=THEM)
        return conversation

    def set_status(self, conversation_id: str, status: str) -> Conversation:
        """An agent sets a conversation's status."""
        conversation = self.state.conversation(conversation_id)
        self.state.change(conversation, by="agent", status=status)
        return conversation

    def assign(self, conversation_id: str, agent_id: str | None) -> Conversation:
        """An agent gives a conversation to somebody, or to nobody."""
        conversation = self.state.conversation(conversation_id)
        self.state.change(conversation, by="agent", assignee=self.state.agent(agent_id) if agent_id else None)
        return conversation

    def change_tags(
        self, conversation_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> Conversation:
        """An agent changes a conversation's tags."""
        conversation = self.state.conversation(conversation_id)
        self.state.change_tags(conversation, by="agent", add=add, remove=remove)
        return conversation

    def change_attributes(self, customer_id: str, **attributes: Any) -> Customer:
        """An agent edits a customer's attributes."""
        customer = self.state.customer(customer_id)
        merged = {**customer.attributes, **attributes}
        self.state.change_customer(customer, by="agent", attributes=merged)
        return customer

    def merge_customers(self, kept_id: str, gone_id: str) -> Customer:
        """An agent finds that two customers are one."""
        kept = self.state.customer(kept_id)
        self.state.merge_customers(kept, self.state.customer(gone_id), by="agent")
        return kept

    def delete_conversation(self, conversation_id: str, *, told: bool = False) -> None:
        """An administrator deletes a conversation; many helpdesks don't tell of it by a webhook, some do."""
        self.state.delete_conversation(conversation_id, told=told)

    def delete_customer(self, customer_id: str, *, told: bool = False) -> None:
        """An administrator deletes a customer with all their conversations; likewise."""
        self.state.delete_customer(customer_id, told=told)

    def restore_conversation(self, conversation: Conversation) -> None:
        """An administrator takes a conversation back that was deleted; what was said in it is lost."""
        self.state.restore(conversation)

    def expire_files(self) -> None:
        """The addresses of all files expire; whoever asks for their messages again is told new ones."""
        self.state.expire_files()

    def set_clock(self, ahead: float) -> None:
        """Let the helpdesk's clock be `ahead` seconds ahead of the real time from now on (behind: < 0)."""
        self.clock_ahead = timedelta(seconds=ahead)

    def misbehave(self, fault: Fault | str, **options: Any) -> None:
        """Misbehave from now on; the options are those of `Misbehaviour`."""
        self.faults.add(msgspec.convert({"fault": fault, **options}, Misbehaviour))

    def allow(self, *allowances: Allowance) -> None:
        """Keep these limits from now on: tell of them in headers, answer 429 beyond them."""
        self._allowances.keep(*allowances)

    def behave(self) -> None:
        """Stop misbehaving."""
        self.faults.clear()

    async def drain(self) -> None:
        """Wait until every webhook was delivered or given up."""
        await self.courier.drain()

    async def aclose(self) -> None:
        """Stop delivering webhooks."""
        await self.courier.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request = await _read(scope, receive)
            if request.path.startswith("/control/"):
                await _send_json(send, *await self._dispatch(self._control.routes, request))
            elif request.path.startswith("/api/files/"):
                await self._serve_file(request, send)
            else:
                await self._serve_api(request, receive, send)

    def _tell(self, event: Event) -> None:
        conversation = event.conversation
        assignee = conversation.assignee if conversation else None
        self.happened.append(
            Happened(
                event=event.id,
                type=event.type,
                by=event.by,
                customer_id=event.customer.id,
                conversation_id=conversation.id if conversation else None,
                status=conversation.status if conversation else None,
                assignee_id=assignee.id if assignee else None,
                message=event.message,
                at=datetime.now(UTC),
            )
        )
        self.courier.send(event)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _serve_file(self, request: Request, send: Send) -> None:
        found = self.state.files.get(request.path.rpartition("/")[2])
        seal = f"?seal={request.query['seal']}" if "seal" in request.query else ""
        if seal != self.state.seal:
            await _send_json(send, 403, {"error": "this address has expired"})
            return
        status = 200 if found and request.headers.get("authorization") == f"Bearer {self._token}" else 404
        kind, content = found if found and status == _OK else ("text/plain", b"no such file")
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _serve_api(self, request: Request, receive: Receive, send: Send) -> None:
        allowed, limits = self._allowances.take(request.method)
        misbehaviour = self.faults.for_request(request.method, request.path) if allowed else None
        fault = misbehaviour.fault if misbehaviour else None
        entry = self._note(request, fault)
        if not allowed:
            entry.status = 429
            await _send_json(send, 429, {"error": "too many requests"}, headers=limits)
            return
        answer: Answer | None = None
        if misbehaviour is not None and fault is Fault.LATE:
            await asyncio.sleep(misbehaviour.seconds or _SLOW_SECONDS)
        if fault in AFTER or fault in {None, Fault.SLOW, Fault.LATE, Fault.SAME_CURSOR}:
            answer = await self._authorized(request)
        if misbehaviour is not None:
            answer = await _spoil(misbehaviour, answer, receive)
        if answer is None:
            await _break_off(send)
            return
        entry.status = answer[0]
        if misbehaviour is not None and fault is Fault.RATE_LIMIT:
            limits = {**limits, "retry-after": f"{misbehaviour.retry_after:g}"}
        await _send_json(send, *answer, headers=limits)

    async def _authorized(self, request: Request) -> Answer:
        presented = request.headers.get("authorization", "")
        if not hmac.compare_digest(presented.encode(), f"Bearer {self._token}".encode()):
            return 401, {"error": "the bearer token is missing or wrong"}
        return await self._dispatch(self._api.routes, request)

    async def _dispatch(self, routes: Routes, request: Request) -> Answer:
        found = routes.find(request)
        if found is None:
            return 404, {"error": "no such resource"}
        handler, matched = found
        try:
            return 200, await handler(matched)
        except UnknownRecordError as error:
            return 404, {"error": str(error)}
        except OutdatedError as error:
            return 412, {"error": str(error)}
        except (msgspec.DecodeError, ValueError) as error:
            return 422, {"error": str(error)}

    def _note(self, request: Request, fault: Fault | None) -> RequestLog:
        entry = RequestLog(
            method=request.method,
            path=request.path,
            body=request.json(),
            fault=fault,
            at=datetime.now(UTC),
        )
        self.requests.append(entry)
        return entry


async def _spoil(misbehaviour: Misbehaviour, answer: Answer | None, receive: Receive) -> Answer | None:
    """What the misbehaviour makes of the answer; `None` breaks the connection off."""
    match misbehaviour.fault:
        case Fault.ERROR | Fault.ERROR_AFTER:
            return misbehaviour.status, {"error": "something went wrong"}
        case Fault.RATE_LIMIT:
            return 429, {"error": "slow down"}
        case Fault.TIME_OUT_BEFORE | Fault.TIME_OUT_AFTER:
            await _wait_for_hang_up(receive, misbehaviour.seconds or _TIME_OUT_SECONDS)
        case Fault.SLOW:
            # What comes late is what was true when it was asked.
            answer = msgspec.to_builtins(answer)
            await asyncio.sleep(misbehaviour.seconds or _SLOW_SECONDS)
            return answer
        case Fault.SAME_CURSOR if answer is not None:
            return answer[0], {**answer[1], "cursor": "1", "last": False}
        case Fault.LATE:
            return answer
    return None


async def _wait_for_hang_up(receive: Receive, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _read(scope: Scope, receive: Receive) -> Request:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode())),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
    )


async def _send_json(
    send: Send, status: int, payload: Any, *, headers: Mapping[str, str] = MappingProxyType({})
) -> None:
    body = msgspec.json.encode(payload)
    every = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _break_off(send: Send) -> None:
    """Promise more than is sent: the server can only cut the connection."""
    with contextlib.suppress(Exception):  # the client may have hung up already
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
