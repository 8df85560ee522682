"""The first schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from config.database import Xid8

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE SEQUENCE ref_block START 4096 INCREMENT 4096")
    op.execute("CREATE SEQUENCE worker_number MAXVALUE 2147483647 CYCLE")
    op.create_table(
        "api_key",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "article",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_article_withdrawn_at", "article", ["withdrawn_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("command_ref", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_attempt_command_ref"), "attempt", ["command_ref"], unique=False)
    op.create_table(
        "command",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        sa.Column("decision_ref", sa.BigInteger(), nullable=True),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("outcome_unknown", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(
        "command_due", "command", ["ready_at"], unique=False, postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index(
        "command_in_flight",
        "command",
        ["claimed_by"],
        unique=False,
        postgresql_where=sa.text("state = 'in_flight'"),
    )
    op.create_index("command_key", "command", ["key"], unique=True)
    op.create_index(
        "command_order",
        "command",
        ["conversation_ref", "connection", "ref"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'in_flight')"),
    )
    op.create_index(
        "command_parked", "command", ["ref"], unique=False, postgresql_where=sa.text("state = 'parked'")
    )
    op.create_index(
        "command_remote",
        "command",
        ["conversation_ref", "remote_id"],
        unique=False,
        postgresql_where=sa.text("remote_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_command_conversation_ref"), "command", ["conversation_ref"], unique=False)
    op.create_table(
        "conversation",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer_ref", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("assignee", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vendor_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_holder", sa.Text(), nullable=False),
        sa.Column("lease_epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_person", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(
        "conversation_recent", "conversation", [sa.literal_column("last_message_at DESC")], unique=False
    )
    op.create_index("conversation_vendor", "conversation", ["connection", "id"], unique=True)
    op.create_index(op.f("ix_conversation_customer_ref"), "conversation", ["customer_ref"], unique=False)
    op.create_index(op.f("ix_conversation_xid"), "conversation", ["xid"], unique=False)
    op.create_table(
        "customer",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vendor_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_customer_xid"), "customer", ["xid"], unique=False)
    op.create_table(
        "decision",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("actions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_decision_conversation_ref"), "decision", ["conversation_ref"], unique=False)
    op.create_index(op.f("ix_decision_xid"), "decision", ["xid"], unique=False)
    op.create_table(
        "hand_off",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("decision_ref", sa.BigInteger(), nullable=True),
        sa.Column("package", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("agent", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(
        "hand_off_open",
        "hand_off",
        ["conversation_ref"],
        unique=True,
        postgresql_where=sa.text("state IN ('offered', 'claimed')"),
    )
    op.create_index("hand_off_queue", "hand_off", ["state", "queue", "ref"], unique=False)
    op.create_index(op.f("ix_hand_off_xid"), "hand_off", ["xid"], unique=False)
    op.create_table(
        "idempotent_request",
        sa.Column("api_key_ref", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("api_key_ref", "key"),
    )
    op.create_table(
        "identity",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("customer_ref", sa.BigInteger(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(
        "identity_address", "identity", ["connection", "kind", "value", "customer_ref"], unique=True
    )
    op.create_index(
        "identity_vendor",
        "identity",
        ["connection", "value"],
        unique=True,
        postgresql_where=sa.text("kind = 'vendor'"),
    )
    op.create_index(op.f("ix_identity_customer_ref"), "identity", ["customer_ref"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="live", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("inbox_delivery", "inbox", ["connection", "key"], unique=True)
    op.create_index(
        "inbox_parked",
        "inbox",
        ["ref"],
        unique=False,
        postgresql_where=sa.text("state IN ('parked', 'malformed')"),
    )
    op.create_index(
        "inbox_pending", "inbox", ["lane", "ref"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "lease_change",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("person", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_lease_change_xid"), "lease_change", ["xid"], unique=False)
    op.create_index("lease_change_epoch", "lease_change", ["conversation_ref", "epoch"], unique=True)
    op.create_table(
        "message",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("person", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("attachments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.Column("command_ref", sa.BigInteger(), nullable=True),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_message_xid"), "message", ["xid"], unique=False)
    op.create_index("message_told", "message", ["conversation_ref", "sent_at"], unique=False)
    op.create_index("message_vendor", "message", ["conversation_ref", "id"], unique=True)
    op.create_table(
        "payload",
        sa.Column("inbox_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_ref"),
    )
    op.create_table(
        "turn",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("texts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_customer_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("signals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_turn_xid"), "turn", ["xid"], unique=False)
    op.create_index("turn_number", "turn", ["conversation_ref", "number"], unique=True)
    op.create_table(
        "revision",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("article_ref", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("questions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_ref"],
            ["article.ref"],
        ),
        sa.PrimaryKeyConstraint("ref"),
        sa.UniqueConstraint("article_ref", "number"),
    )
    op.create_table(
        "passage",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("revision_ref", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=True),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision_ref"],
            ["revision.ref"],
        ),
        sa.PrimaryKeyConstraint("ref"),
        sa.UniqueConstraint("revision_ref", "position"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("passage")
    op.drop_table("revision")
    op.drop_index("turn_number", table_name="turn")
    op.drop_index(op.f("ix_turn_xid"), table_name="turn")
    op.drop_table("turn")
    op.drop_table("payload")
    op.drop_index("message_vendor", table_name="message")
    op.drop_index("message_told", table_name="message")
    op.drop_index(op.f("ix_message_xid"), table_name="message")
    op.drop_table("message")
    op.drop_index("lease_change_epoch", table_name="lease_change")
    op.drop_index(op.f("ix_lease_change_xid"), table_name="lease_change")
    op.drop_table("lease_change")
    op.drop_index("inbox_pending", table_name="inbox", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(
        "inbox_parked", table_name="inbox", postgresql_where=sa.text("state IN ('parked', 'malformed')")
    )
    op.drop_index("inbox_delivery", table_name="inbox")
    op.drop_table("inbox")
    op.drop_index(op.f("ix_identity_customer_ref"), table_name="identity")
    op.drop_index("identity_vendor", table_name="identity", postgresql_where=sa.text("kind = 'vendor'"))
    op.drop_index("identity_address", table_name="identity")
    op.drop_table("identity")
    op.drop_table("idempotent_request")
    op.drop_index(op.f("ix_hand_off_xid"), table_name="hand_off")
    op.drop_index("hand_off_queue", table_name="hand_off")
    op.drop_index(
        "hand_off_open", table_name="hand_off", postgresql_where=sa.text("state IN ('offered', 'claimed')")
    )
    op.drop_table("hand_off")
    op.drop_index(op.f("ix_decision_xid"), table_name="decision")
    op.drop_index(op.f("ix_decision_conversation_ref"), table_name="decision")
    op.drop_table("decision")
    op.drop_index(op.f("ix_customer_xid"), table_name="customer")
    op.drop_table("customer")
    op.drop_index(op.f("ix_conversation_xid"), table_name="conversation")
    op.drop_index(op.f("ix_conversation_customer_ref"), table_name="conversation")
    op.drop_index("conversation_vendor", table_name="conversation")
    op.drop_index("conversation_recent", table_name="conversation")
    op.drop_table("conversation")
    op.drop_index(op.f("ix_command_conversation_ref"), table_name="command")
    op.drop_index("command_remote", table_name="command", postgresql_where=sa.text("remote_id IS NOT NULL"))
    op.drop_index("command_parked", table_name="command", postgresql_where=sa.text("state = 'parked'"))
    op.drop_index(
        "command_order", table_name="command", postgresql_where=sa.text("state IN ('waiting', 'in_flight')")
    )
    op.drop_index("command_key", table_name="command")
    op.drop_index("command_in_flight", table_name="command", postgresql_where=sa.text("state = 'in_flight'"))
    op.drop_index("command_due", table_name="command", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_table("command")
    op.drop_index(op.f("ix_attempt_command_ref"), table_name="attempt")
    op.drop_table("attempt")
    op.drop_index("ix_article_withdrawn_at", table_name="article")
    op.drop_table("article")
    op.drop_table("api_key")
    op.execute("DROP SEQUENCE worker_number")
    op.execute("DROP SEQUENCE ref_block")
