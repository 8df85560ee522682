"""A command is about a conversation or a customer."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_UNFINISHED = sa.text("state IN ('waiting', 'in_flight')")


def upgrade() -> None:
    """Apply."""
    op.alter_column("command", "conversation_ref", nullable=True)
    op.add_column("command", sa.Column("customer_ref", sa.BigInteger(), nullable=True))
    op.add_column(
        "command",
        sa.Column(
            "subject_ref",
            sa.BigInteger(),
            sa.Computed("COALESCE(conversation_ref, customer_ref)", persisted=True),
            nullable=True,
        ),
    )
    op.create_check_constraint(
        "command_subject", "command", "num_nonnulls(conversation_ref, customer_ref) = 1"
    )
    op.create_index("ix_command_customer_ref", "command", ["customer_ref"])
    op.drop_index("command_order", "command")
    op.create_index(
        "command_order", "command", ["subject_ref", "connection", "ref"], postgresql_where=_UNFINISHED
    )


def downgrade() -> None:
    """Take back; commands about customers are lost."""
    op.execute("DELETE FROM command WHERE conversation_ref IS NULL")
    op.drop_index("command_order", "command")
    op.create_index(
        "command_order", "command", ["conversation_ref", "connection", "ref"], postgresql_where=_UNFINISHED
    )
    op.drop_index("ix_command_customer_ref", "command")
    op.drop_constraint("command_subject", "command")
    op.drop_column("command", "subject_ref")
    op.drop_column("command", "customer_ref")
    op.alter_column("command", "conversation_ref", nullable=False)
