"""Hand-offs that are to be claimed in time, and those that go back to the same people."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ADDED = ("meant_for", "cause", "follows", "accept_by", "otherwise")


def upgrade() -> None:
    """Apply."""
    json = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("hand_off", sa.Column("meant_for", json, nullable=True))
    op.add_column("hand_off", sa.Column("cause", sa.Text(), server_default="rule", nullable=False))
    op.add_column("hand_off", sa.Column("follows", sa.BigInteger(), nullable=True))
    op.add_column("hand_off", sa.Column("accept_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hand_off", sa.Column("otherwise", json, nullable=True))
    op.create_index("hand_off_conversation", "hand_off", ["conversation_ref", "ref"])
    op.create_index(
        "hand_off_accept_by",
        "hand_off",
        ["accept_by"],
        postgresql_where=sa.text("state = 'offered' AND accept_by IS NOT NULL"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("hand_off_accept_by", table_name="hand_off")
    op.drop_index("hand_off_conversation", table_name="hand_off")
    for name in ADDED:
        op.drop_column("hand_off", name)
