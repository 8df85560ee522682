"""Customers that count as one, addresses as they are compared, and merges."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("customer", sa.Column("main_ref", sa.BigInteger(), nullable=True))
    op.execute("UPDATE customer SET main_ref = ref")
    op.alter_column("customer", "main_ref", nullable=False)
    op.create_index(op.f("ix_customer_main_ref"), "customer", ["main_ref"])
    op.add_column("identity", sa.Column("normal", sa.Text(), nullable=True))
    op.add_column(
        "identity", sa.Column("verified", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "identity_normal",
        "identity",
        ["kind", "normal", "customer_ref"],
        postgresql_where=sa.text("normal IS NOT NULL"),
    )
    op.create_table(
        "customer_merge",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kept_ref", sa.BigInteger(), nullable=False),
        sa.Column("gone_ref", sa.BigInteger(), nullable=False),
        sa.Column("kept_record", sa.BigInteger(), nullable=False),
        sa.Column("gone_record", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("person", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("moved", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("customer_merge_kept", "customer_merge", ["kept_record"])
    op.create_index("customer_merge_gone", "customer_merge", ["gone_record"])
    op.create_index("customer_merge_state", "customer_merge", ["state", "ref"])
    op.create_index(
        "customer_merge_suggested",
        "customer_merge",
        ["kept_record", "gone_record"],
        unique=True,
        postgresql_where=sa.text("state = 'suggested'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("customer_merge")
    op.drop_index("identity_normal", table_name="identity")
    op.drop_column("identity", "verified")
    op.drop_column("identity", "normal")
    op.drop_index(op.f("ix_customer_main_ref"), table_name="customer")
    op.drop_column("customer", "main_ref")
