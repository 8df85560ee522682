"""Live streams: the conversations that belong to one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "conversation_stream",
        "conversation",
        ["connection", sa.text("(attributes ->> 'stream')")],
        postgresql_where=sa.text("channel = 'live'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("conversation_stream", table_name="conversation")
