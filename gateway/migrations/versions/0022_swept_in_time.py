"""Sweep and count queues by what has changed in them, not by a share of the history that they stand in."""

from collections.abc import Sequence

from alembic import op

revision: str = "0022"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_QUEUES = ("inbox", "command", "turn", "conversation")
# By default a fifth of a table must be dead before it is swept: of ten million events, two million entries
# that every look for what waits would have to step over.
_SWEPT = (
    "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,"
    " autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 5000"
)


def upgrade() -> None:
    """Apply."""
    for table in _QUEUES:
        op.execute(f"ALTER TABLE {table} SET ({_SWEPT})")


def downgrade() -> None:
    """Take back."""
    names = ", ".join(each.split(" = ")[0].strip() for each in _SWEPT.split(","))
    for table in _QUEUES:
        op.execute(f"ALTER TABLE {table} RESET ({names})")
