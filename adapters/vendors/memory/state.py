"""What happens inside the reference helpdesk: its customers, conversations and messages, and who hears of it.

It does not de-duplicate by token: a helpdesk that is sent a message twice shows it twice.
"""

import itertools
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from adapters.vendors.memory.records import Agent, Conversation, Customer, Event, File, Message

STATUSES = ("pending", "open", "snoozed", "resolved")
AGENTS = (Agent("agent_1", "Lin"), Agent("agent_2", "Mei"), Agent("agent_3", "Alex"))
TEAMS = ("team_support", "team_after_sales")


class UnknownRecordError(LookupError):
    """There is no such customer, conversation or agent."""


class OutdatedError(ValueError):
    """The record isn't of the revision that the request names."""


class State:
    """The helpdesk's memory. Every change is told to `tell` as an event; `now` is the helpdesk's clock."""

    def __init__(self, tell: Callable[[Event], None], now: Callable[[], datetime]) -> None:
        self.customers: dict[str, Customer] = {}
        self.conversations: dict[str, Conversation] = {}
        self.messages: list[Message] = []
        self.agents = {agent.id: agent for agent in AGENTS}
        self.first: str | None = None
        """Who may speak at first, where there is a switchboard."""
        self.files: dict[str, tuple[str, bytes]] = {}
        self.seal = ""
        """What files are asked for with, once their addresses have expired for the first time."""
        self._threads: dict[str, list[Message]] = {}
        self._current: dict[tuple[str, str, str | None], str] = {}
        self._numbers = itertools.count(1)
        self._revisions = itertools.count(1)
        self._tell = tell
        self._now = now

    def customer(self, customer_id: str) -> Customer:
        """The customer of that id."""
        try:
            return self.customers[customer_id]
        except KeyError:
            raise UnknownRecordError(f"no customer {customer_id}") from None

    def conversation(self, conversation_id: str) -> Conversation:
        """The conversation of that id."""
        try:
            return self.conversations[conversation_id]
        except KeyError:
            raise UnknownRecordError(f"no conversation {conversation_id}") from None

    def agent(self, agent_id: str) -> Agent:
        """The agent of that id."""
        try:
            return self.agents[agent_id]
        except KeyError:
            raise UnknownRecordError(f"no agent {agent_id}") from None

    def thread(self, conversation_id: str) -> list[Message]:
        """The messages of a conversation, oldest first."""
        return self._threads.get(self.conversation(conversation_id).id, [])

    def delete_conversation(self, conversation_id: str, *, told: bool) -> None:
        """Forget a conversation."""
        gone = self.conversations.pop(self.conversation(conversation_id).id)
        if told:
            self._announce("conversation_deleted", "agent", self.customer(gone.customer_id), gone)
        self._threads.pop(conversation_id, None)
        self._current = {key: value for key, value in self._current.items() if value != conversation_id}

    def restore(self, conversation: Conversation) -> None:
        """Have a conversation again that was deleted, without its messages."""
        self.conversations[conversation.id] = conversation
        self._touch(conversation)
        self._announce_conversation(conversation, "agent")

    def delete_customer(self, customer_id: str, *, told: bool) -> None:
        """Forget a customer and their conversations."""
        for conversation in list(self.conversations.values()):
            if conversation.customer_id == customer_id:
                self.delete_conversation(conversation.id, told=told)
        gone = self.customers.pop(self.customer(customer_id).id)
        if told:
            self._announce("customer_deleted", "agent", gone)

    def known(self, **addresses: str | None) -> Customer | None:
        """The first customer who has one of these addresses."""
        given = {name: value for name, value in addresses.items() if value}
        everyone = self.customers.values()
        return next((c for c in everyone for name, value in given.items() if getattr(c, name) == value), None)

    def welcome(self, customer_id: str, **details: Any) -> Customer:
        """The customer of that id, made with these details at the first call."""
        known = self.customers.get(customer_id)
        if known is not None:
            return known
        customer = Customer(
            id=customer_id,
            name=details.pop("name", None) or customer_id,
            revision=next(self._revisions),
            updated_at=self._now(),
            **details,
        )
        self.customers[customer_id] = customer
        self._announce("customer_changed", "system", customer)
        return customer

    def open(
        self, customer: Customer, *, channel: str, subject: str | None = None, **details: Any
    ) -> Conversation:
        """A new conversation, which a bot handles at first."""
        now = self._now()
        conversation = Conversation(
            id=f"con_{next(self._numbers)}",
            customer_id=customer.id,
            channel=channel,
            subject=subject,
            revision=next(self._revisions),
            created_at=now,
            updated_at=now,
            active=self.first,
            **details,
        )
        self.conversations[conversation.id] = conversation
        self._current[customer.id, channel, conversation.stream] = conversation.id
        self._announce("conversation_changed", "customer", customer, conversation)
        return conversation

    def move_control(
        self,
        conversation: Conversation,
        act: str,
        *,
        by: str,
        active: str | None,
        pending: str | None,
        **told: Any,
    ) -> None:
        """The switchboard moved, or refused to."""
        conversation.active, conversation.pending = active, pending
        self._touch(conversation)
        customer = self.customer(conversation.customer_id)
        self._announce("control_changed", by, customer, conversation, act=act, **told)

    def current(
        self, customer: Customer, *, channel: str, stream: str | None = None, subject: str | None = None
    ) -> Conversation:
        """The customer's unresolved conversation on that channel, in that stream, or a new one."""
        known = self.conversations.get(self._current.get((customer.id, channel, stream), ""))
        if known is None or known.status == "resolved":
            return self.open(customer, channel=channel, stream=stream, subject=subject)
        return known

    def post(
        self,
        conversation: Conversation,
        text: str,
        *,
        author: str,
        agent: Agent | None = None,
        private: bool = False,
        token: str | None = None,
        files: tuple[File, ...] = (),
    ) -> Message:
        """A new message; a customer's reopens a resolved conversation."""
        if author == "customer" and conversation.status == "resolved":
            self.change(conversation, by="customer", status="pending")
        self._touch(conversation)
        message = Message(
            id=f"msg_{next(self._numbers)}",
            conversation_id=conversation.id,
            author=author,
            text=text,
            private=private,
            agent=agent,
            token=token,
            files=files,
            revision=conversation.revision,
            created_at=conversation.updated_at,
        )
        self.messages.append(message)
        self._threads.setdefault(conversation.id, []).append(message)
        self._announce(
            "message_posted", author, self.customer(conversation.customer_id), conversation, message
        )
        return message

    def lay_down(self, name: str, content_type: str, content: bytes, *, base_url: str) -> File:
        """Keep a file for whoever fetches it."""
        number = f"file_{next(self._numbers)}"
        self.files[number] = (content_type, content)
        size, url = len(content), f"{base_url}/api/files/{number}{self.seal}"
        return File(id=number, name=name, content_type=content_type, size=size, url=url)

    def expire_files(self) -> None:
        """Have files at other addresses from now on: messages tell them, the old ones are refused."""
        self.seal = f"?seal={next(self._numbers)}"
        for messages in (self.messages, *self._threads.values()):
            messages[:] = [self._sealed(message) for message in messages]

    def _sealed(self, message: Message) -> Message:
        replace = msgspec.structs.replace
        files = tuple(replace(f, url=f.url.partition("?")[0] + self.seal) for f in message.files)
        return replace(message, files=files)

    def fail(self, message: Message, reason: str, *, temporary: bool) -> None:
        """A message that was accepted does not reach the customer after all."""
        conversation = self.conversation(message.conversation_id)
        customer = self.customer(conversation.customer_id)
        told = {"reason": reason, "temporary": temporary}
        self._announce("message_failed", "system", customer, conversation, message, **told)

    def change(self, conversation: Conversation, *, by: str, **fields: Any) -> bool:
        """Set fields of a conversation; tells nobody when they are what they were."""
        return self._change(conversation, fields, lambda: self._announce_conversation(conversation, by))

    def change_tags(
        self, conversation: Conversation, *, by: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> bool:
        """Add and remove tags."""
        unwanted = set(remove)
        kept = [tag for tag in conversation.tags if tag not in unwanted]
        tags = kept + [tag for tag in dict.fromkeys(add) if tag not in kept]
        return self.change(conversation, by=by, tags=tags)

    def change_customer(self, customer: Customer, *, by: str, **fields: Any) -> bool:
        """Set fields of a customer; tells nobody when they are what they were."""
        return self._change(customer, fields, lambda: self._announce("customer_changed", by, customer))

    def merge_customers(self, kept: Customer, gone: Customer, *, by: str) -> None:
        """Make one customer of two: conversations move over, `gone` is no more."""
        for conversation in self.conversations.values():
            if conversation.customer_id == gone.id:
                conversation.customer_id = kept.id
                self._current[kept.id, conversation.channel, conversation.stream] = conversation.id
        del self.customers[gone.id]
        self._touch(kept)
        self._announce("customers_merged", by, kept, gone_id=gone.id)

    def _change(
        self, record: Customer | Conversation, fields: dict[str, Any], announce: Callable[[], None]
    ) -> bool:
        if all(getattr(record, name) == value for name, value in fields.items()):
            return False
        for name, value in fields.items():
            setattr(record, name, value)
        self._touch(record)
        announce()
        return True

    def _touch(self, record: Customer | Conversation) -> None:
        record.revision = next(self._revisions)
        record.updated_at = self._now()

    def _announce_conversation(self, conversation: Conversation, by: str) -> None:
        self._announce("conversation_changed", by, self.customer(conversation.customer_id), conversation)

    def _announce(
        self,
        kind: str,
        by: str,
        customer: Customer,
        conversation: Conversation | None = None,
        message: Message | None = None,
        **more: Any,
    ) -> None:
        self._tell(
            Event(
                id=f"evt_{next(self._numbers)}",
                type=kind,
                by=by,
                occurred_at=self._now(),
                customer=customer,
                conversation=conversation,
                message=message,
                **more,
            )
        )
