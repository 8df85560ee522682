"""Live streams: a conversation's stream is a field of its own, no attribute among the vendor's."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.drop_index("conversation_stream", table_name="conversation")
    op.add_column("conversation", sa.Column("stream", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "conversation_stream",
        "conversation",
        ["connection", "stream"],
        postgresql_where=sa.text("channel = 'live' AND stream <> ''"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("conversation_stream", table_name="conversation")
    op.drop_column("conversation", "stream")
    op.create_index(
        "conversation_stream",
        "conversation",
        ["connection", sa.text("(attributes ->> 'stream')")],
        postgresql_where=sa.text("channel = 'live'"),
    )
