"""Messages held for echoes until that is known, and overlaps of a person and the AI."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    json = postgresql.JSONB(astext_type=sa.Text())
    at = sa.DateTime(timezone=True)
    op.add_column("command", sa.Column("vendor_at", at, nullable=True))
    op.add_column("command", sa.Column("held", json, nullable=True))
    op.add_column(
        "command", sa.Column("doubt", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "command_doubt",
        "command",
        ["conversation_ref"],
        postgresql_where=sa.text("doubt AND state <> 'in_flight'"),
    )
    op.create_table(
        "overlap",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("command_ref", sa.BigInteger(), nullable=False),
        sa.Column("message_ref", sa.BigInteger(), nullable=False),
        sa.Column("person", json, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("spoke_at", at, nullable=False),
        sa.Column("heard_at", at, nullable=False),
        sa.Column("sent_at", at, nullable=True),
        sa.Column("event_ref", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("ix_overlap_conversation_ref", "overlap", ["conversation_ref"])
    op.create_index("overlap_command", "overlap", ["command_ref"], unique=True)
    op.create_index("overlap_possible", "overlap", ["ref"], postgresql_where=sa.text("state = 'possible'"))


def downgrade() -> None:
    """Take back."""
    op.drop_table("overlap")
    op.drop_index("command_doubt", table_name="command")
    op.drop_column("command", "doubt")
    op.drop_column("command", "held")
    op.drop_column("command", "vendor_at")
