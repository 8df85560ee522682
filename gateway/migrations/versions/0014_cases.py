"""Linked conversations, and conflicts over their fields."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "conversation_link",
        sa.Column("conversation_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("main_ref", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("vendor_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shared", _JSON, nullable=False),
        sa.Column("golden", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("conversation_ref"),
    )
    op.create_index("ix_conversation_link_main_ref", "conversation_link", ["main_ref"])
    op.alter_column("conflict", "customer_ref", nullable=True)
    op.add_column("conflict", sa.Column("conversation_ref", sa.BigInteger(), nullable=True))
    op.create_index("conflict_conversation", "conflict", ["conversation_ref"])
    op.create_check_constraint(
        "conflict_subject", "conflict", "num_nonnulls(conversation_ref, customer_ref) = 1"
    )


def downgrade() -> None:
    """Take back."""
    op.execute("DELETE FROM conflict WHERE customer_ref IS NULL")
    op.drop_constraint("conflict_subject", "conflict")
    op.drop_index("conflict_conversation", "conflict")
    op.drop_column("conflict", "conversation_ref")
    op.alter_column("conflict", "customer_ref", nullable=False)
    op.drop_table("conversation_link")
