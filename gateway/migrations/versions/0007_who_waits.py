"""Those who wait are found without reading all turns there ever were."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "turn_waiting",
        "turn",
        ["opened_at"],
        postgresql_where=sa.text("state = 'collecting' AND ended_by IS NULL"),
    )
    op.create_index(
        "turn_silent",
        "turn",
        ["last_customer_at"],
        postgresql_where=sa.text("state = 'answered' AND verdict = 'open' AND ended_by IS NULL"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("turn_silent", table_name="turn")
    op.drop_index("turn_waiting", table_name="turn")
