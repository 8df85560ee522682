"""Find the conversations that another bot has."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "conversation_other_bot",
        "conversation",
        ["lease_since"],
        postgresql_where=sa.text("lease_holder = 'other_bot'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("conversation_other_bot", table_name="conversation")
