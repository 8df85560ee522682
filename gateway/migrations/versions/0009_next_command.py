"""The next command of a connection is found without sorting all that wait."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "command_next",
        "command",
        ["connection", "priority", "ref"],
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("command_next", "command")
