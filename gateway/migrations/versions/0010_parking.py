"""What was parked: why, what was done about it, and in which order it came."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_EVENTS = sa.text("state IN ('parked', 'malformed')")
_COMMANDS = sa.text("state = 'parked'")


def upgrade() -> None:
    """Apply."""
    op.add_column("command", sa.Column("parked_as", sa.Text(), nullable=True))
    op.create_table(
        "parking_act",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("item_ref", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_as", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("parking_act_item", "parking_act", ["kind", "item_ref"])
    op.drop_index("inbox_parked", "inbox")
    op.create_index(
        "inbox_parked", "inbox", [sa.text("COALESCE(done_at, received_at)"), "ref"], postgresql_where=_EVENTS
    )
    op.drop_index("command_parked", "command")
    op.create_index("command_parked", "command", ["done_at", "ref"], postgresql_where=_COMMANDS)


def downgrade() -> None:
    """Undo."""
    op.drop_index("command_parked", "command")
    op.create_index("command_parked", "command", ["ref"], postgresql_where=_COMMANDS)
    op.drop_index("inbox_parked", "inbox")
    op.create_index("inbox_parked", "inbox", ["ref"], postgresql_where=_EVENTS)
    op.drop_table("parking_act")
    op.drop_column("command", "parked_as")
