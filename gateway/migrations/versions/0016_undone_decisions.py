"""Decisions about conflicts that were undone, by whom and when."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    undone = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("conflict", sa.Column("undone", undone, server_default="[]", nullable=False))


def downgrade() -> None:
    """Take back."""
    op.drop_column("conflict", "undone")
