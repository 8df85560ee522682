"""Find what was opened lately at desks elsewhere: asked every second, beside a history of hand-offs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "hand_off_opened", "hand_off", ["offered_at"], postgresql_where=sa.text("ticket IS NOT NULL")
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("hand_off_opened", table_name="hand_off")
