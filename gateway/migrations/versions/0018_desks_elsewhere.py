"""Hand-offs to desks at other vendors, and the vendors' own switches of control."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("conversation", sa.Column("control", sa.Text(), nullable=True))
    op.add_column("command", sa.Column("hand_off_ref", sa.BigInteger(), nullable=True))
    op.create_index(
        "command_hand_off",
        "command",
        ["hand_off_ref"],
        postgresql_where=sa.text("hand_off_ref IS NOT NULL"),
    )
    op.add_column("hand_off", sa.Column("ticket", sa.Text(), nullable=True))
    op.add_column("hand_off", sa.Column("position", sa.Integer(), nullable=True))
    op.create_index(
        "hand_off_ticket", "hand_off", ["to", "ticket"], postgresql_where=sa.text("ticket IS NOT NULL")
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("hand_off_ticket", table_name="hand_off")
    op.drop_column("hand_off", "position")
    op.drop_column("hand_off", "ticket")
    op.drop_index("command_hand_off", table_name="command")
    op.drop_column("command", "hand_off_ref")
    op.drop_column("conversation", "control")
