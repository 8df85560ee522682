"""The tables of two-way state. Only `sync.store` sees them.

`ref` is ours. Rows whose ref comes from the shared `ref_block` sequence are made by a lane's
transaction, so refs grow with time within one conversation. `xid` is the transaction that last
wrote the row: the export's watermark (see `sync.store.log`).
"""

from datetime import datetime
from typing import Any, Optional

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Identity,
    Index,
    Sequence,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from config.database import Xid8
from sync.columns import at as _at
from sync.columns import json as _json
from sync.columns import link as _link
from sync.columns import ref as _ref
from sync.columns import words as _text

REFS_PER_BLOCK = 4096
ref_block = Sequence("ref_block", start=REFS_PER_BLOCK, increment=REFS_PER_BLOCK, metadata=SQLModel.metadata)
worker_number = Sequence("worker_number", start=1, maxvalue=2**31 - 1, cycle=True, metadata=SQLModel.metadata)


def _own_ref() -> Any:
    return Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])


def _xid() -> Any:
    return Field(
        default=None,
        sa_type=Xid8,
        index=True,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()"), "nullable": False},
    )


class Customer(SQLModel, table=True):
    """A person as one connection knows them; those with the same `main_ref` are one person."""

    __tablename__ = "customer"

    ref: int = _ref()
    main_ref: int = _link(index=True)
    name: str = _text(default="")
    language: str | None = _text(default=None, nullable=True)
    attributes: dict[str, Any] = _json(default_factory=dict)
    revision: int | None = _link(default=None, nullable=True)
    """The vendor's own number of the newest version that we know."""
    shared: dict[str, Any] = _json(default_factory=dict, sa_column_kwargs={"server_default": text("'{}'")})
    """Of each shared field, what was last agreed, sent and disputed."""
    golden: dict[str, Any] = _json(default_factory=dict, sa_column_kwargs={"server_default": text("'{}'")})
    """Of the main one: what the shared fields should be everywhere, and who wrote it."""
    vendor_updated_at: datetime | None = _at(default=None, nullable=True)
    created_at: datetime = _at()
    xid: Optional[str] = _xid()  # noqa: UP045 - SQLModel reads the runtime type


class IdentityRow(SQLModel, table=True):
    """One address of a customer: as the vendor writes it, and as it is looked up (null: it isn't)."""

    __tablename__ = "identity"
    __table_args__ = (
        Index("identity_address", "connection", "kind", "value", "customer_ref", unique=True),
        Index(
            "identity_vendor", "connection", "value", unique=True, postgresql_where=text("kind = 'vendor'")
        ),
        Index(
            "identity_normal", "kind", "normal", "customer_ref", postgresql_where=text("normal IS NOT NULL")
        ),
    )

    ref: int = _own_ref()
    customer_ref: int = _link(index=True)
    connection: str = _text()
    kind: str = _text()
    value: str = _text()
    normal: str | None = _text(default=None, nullable=True)
    verified: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    deleted_at: datetime | None = _at(default=None, nullable=True)


class CustomerMerge(SQLModel, table=True):
    """Two customers that were made one, that may be one, or that were told apart.

    `kept_ref` and `gone_ref` were the main ones; the evidence is about `kept_record` and `gone_record`.
    """

    __tablename__ = "customer_merge"
    __table_args__ = (
        Index("customer_merge_kept", "kept_record"),
        Index("customer_merge_gone", "gone_record"),
        Index("customer_merge_state", "state", "ref"),
        Index(
            "customer_merge_suggested",
            "kept_record",
            "gone_record",
            unique=True,
            postgresql_where=text("state = 'suggested'"),
        ),
    )

    ref: int = _own_ref()
    state: str = _text()
    kept_ref: int = _link()
    gone_ref: int = _link()
    kept_record: int = _link()
    gone_record: int = _link()
    rule: str = _text()
    person: dict[str, Any] | None = _json(default=None, nullable=True)
    evidence: list[Any] = _json(default_factory=list)
    moved: list[int] = Field(default_factory=list, sa_type=ARRAY(BigInteger))
    event_ref: int | None = _link(default=None, nullable=True)
    at: datetime = _at()
    undone_at: datetime | None = _at(default=None, nullable=True)
    undone_by: dict[str, Any] | None = _json(default=None, nullable=True)


class Conversation(SQLModel, table=True):
    """A thread at a connection, and who may speak in it."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index("conversation_vendor", "connection", "id", unique=True),
        Index("conversation_recent", text("last_message_at DESC")),
        Index(
            "conversation_stream",
            "connection",
            "stream",
            postgresql_where=text("channel = 'live' AND stream <> ''"),
        ),
        Index("conversation_other_bot", "lease_since", postgresql_where=text("lease_holder = 'other_bot'")),
    )

    ref: int = _ref()
    connection: str = _text()
    id: str = _text()
    customer_ref: int | None = _link(default=None, nullable=True, index=True)
    channel: str = _text()
    stream: str = _text(default="", sa_column_kwargs={"server_default": ""})
    status: str = _text()
    tags: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    assignee: dict[str, Any] | None = _json(default=None, nullable=True)
    subject: str = _text(default="")
    url: str = _text(default="")
    language: str = _text(default="und")
    attributes: dict[str, Any] = _json(default_factory=dict)
    vendor_updated_at: datetime | None = _at(default=None, nullable=True)
    resolved_at: datetime | None = _at(default=None, nullable=True)
    """When it was last resolved, as far as we know, by the vendor's clock."""
    created_at: datetime = _at()
    last_message_at: datetime | None = _at(default=None, nullable=True)
    lease_holder: str = _text()
    lease_epoch: int = _link()
    lease_since: datetime = _at()
    lease_person: dict[str, Any] | None = _json(default=None, nullable=True)
    control: str | None = _text(default=None, nullable=True)
    """Who may speak by the vendor's own switch, where it has one."""
    deleted_at: datetime | None = _at(default=None, nullable=True)
    xid: Optional[str] = _xid()  # noqa: UP045 - as above


class Message(SQLModel, table=True):
    """One utterance, as both sides know it."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_vendor", "conversation_ref", "id", unique=True),
        Index("message_told", "conversation_ref", "sent_at"),
    )

    ref: int = _ref()
    conversation_ref: int = _link()
    id: str = _text()
    author: str = _text()
    person: dict[str, Any] | None = _json(default=None, nullable=True)
    text: str = _text()
    private: bool = Field(default=False)
    attachments: list[Any] = _json(default_factory=list)
    origin: str = _text()
    sent_at: datetime = _at()
    seen_at: datetime = _at()
    event_ref: int | None = _link(default=None, nullable=True)
    command_ref: int | None = _link(default=None, nullable=True)
    xid: Optional[str] = _xid()  # noqa: UP045 - as above


class LeaseChange(SQLModel, table=True):
    """The history of who could speak, and why it changed."""

    __tablename__ = "lease_change"
    __table_args__ = (Index("lease_change_epoch", "conversation_ref", "epoch", unique=True),)

    ref: int = _ref()
    conversation_ref: int = _link()
    epoch: int = _link()
    holder: str = _text()
    person: dict[str, Any] | None = _json(default=None, nullable=True)
    cause: str = _text()
    event_ref: int | None = _link(default=None, nullable=True)
    at: datetime = _at()
    xid: Optional[str] = _xid()  # noqa: UP045 - as above


class CommandRow(SQLModel, table=True):
    """The outbox and its ledger: one thing to do, in order per subject and connection.

    The subject is a conversation or a customer; their refs come from one sequence, so never meet.
    """

    __tablename__ = "command"
    __table_args__ = (
        Index("command_key", "key", unique=True),
        Index("command_due", "ready_at", postgresql_where=text("state = 'waiting'")),
        Index("command_next", "connection", "priority", "ref", postgresql_where=text("state = 'waiting'")),
        Index(
            "command_order",
            "subject_ref",
            "connection",
            "ref",
            postgresql_where=text("state IN ('waiting', 'in_flight')"),
        ),
        Index("command_in_flight", "claimed_by", postgresql_where=text("state = 'in_flight'")),
        Index("command_doubt", "conversation_ref", postgresql_where=text("doubt AND state <> 'in_flight'")),
        Index("command_hand_off", "hand_off_ref", postgresql_where=text("hand_off_ref IS NOT NULL")),
        Index("command_parked", "done_at", "ref", postgresql_where=text("state = 'parked'")),
        Index(
            "command_remote", "conversation_ref", "remote_id", postgresql_where=text("remote_id IS NOT NULL")
        ),
        CheckConstraint("num_nonnulls(conversation_ref, customer_ref) = 1", name="command_subject"),
    )

    ref: int = _ref()
    conversation_ref: int | None = _link(default=None, nullable=True, index=True)
    customer_ref: int | None = _link(default=None, nullable=True, index=True)
    subject_ref: int | None = _link(
        default=None,
        nullable=True,
        sa_column_args=[Computed("COALESCE(conversation_ref, customer_ref)", persisted=True)],
    )
    connection: str = _text()
    kind: str = _text()
    body: dict[str, Any] = _json()
    key: str = _text()
    epoch: int | None = _link(default=None, nullable=True)
    turn: int | None = _link(default=None, nullable=True)
    decision_ref: int | None = _link(default=None, nullable=True)
    event_ref: int | None = _link(default=None, nullable=True)
    hand_off_ref: int | None = _link(default=None, nullable=True)
    priority: int = Field(default=5, sa_type=SmallInteger)
    state: str = _text(default="waiting")
    attempts: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    outcome_unknown: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    ready_at: datetime = _at()
    created_at: datetime = _at()
    claimed_by: int | None = _link(default=None, nullable=True)
    claimed_at: datetime | None = _at(default=None, nullable=True)
    done_at: datetime | None = _at(default=None, nullable=True)
    heard_at: datetime | None = _at(default=None, nullable=True)
    remote_id: str | None = _text(default=None, nullable=True)
    vendor_at: datetime | None = _at(default=None, nullable=True)
    held: list[Any] | None = _json(default=None, nullable=True)
    doubt: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    reason: str | None = _text(default=None, nullable=True)
    parked_as: str | None = _text(default=None, nullable=True)


class AttemptRow(SQLModel, table=True):
    """One try at a command, whatever came of it."""

    __tablename__ = "attempt"

    ref: int = _own_ref()
    command_ref: int = _link(index=True)
    number: int = Field(sa_type=SmallInteger)
    outcome: str = _text()
    status: int | None = Field(default=None, sa_type=SmallInteger, nullable=True)
    detail: str = _text(default="")
    started_at: datetime = _at()
    ended_at: datetime = _at()


class ParkingAct(SQLModel, table=True):
    """What somebody did about a parked event or command, and what had failed before they did."""

    __tablename__ = "parking_act"
    __table_args__ = (Index("parking_act_item", "kind", "item_ref"),)

    ref: int = _own_ref()
    kind: str = _text()
    item_ref: int = _link()
    act: str = _text()
    by: str = _text()
    why: str = _text()
    origin: str | None = _text(default=None, nullable=True)
    at: datetime = _at()
    failed_as: str = _text()
    failed_at: datetime = _at()
    failed_detail: str = _text()
