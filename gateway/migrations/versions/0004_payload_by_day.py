"""Bodies lie in partitions by day, so that old ones go by dropping a table."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PARENT = """
CREATE TABLE payload (
    inbox_ref bigint NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (inbox_ref, received_at)
) PARTITION BY RANGE (received_at)
"""


def upgrade() -> None:
    """Apply: what is there becomes the default partition as it is; nothing is copied."""
    op.execute("ALTER TABLE payload RENAME TO payload_default")
    op.execute("ALTER TABLE payload_default DROP CONSTRAINT payload_pkey")
    op.execute("ALTER TABLE payload_default ADD PRIMARY KEY (inbox_ref, received_at)")
    op.execute(_PARENT)
    op.execute("ALTER TABLE payload ATTACH PARTITION payload_default DEFAULT")


def downgrade() -> None:
    """Undo: one table again."""
    op.execute("CREATE TABLE payload_whole (LIKE payload INCLUDING ALL)")
    op.execute("ALTER TABLE payload_whole DROP CONSTRAINT payload_whole_pkey")
    op.execute("ALTER TABLE payload_whole ADD PRIMARY KEY (inbox_ref)")
    op.execute("INSERT INTO payload_whole SELECT * FROM payload")
    op.execute("DROP TABLE payload")
    op.execute("ALTER TABLE payload_whole RENAME TO payload")
    op.execute("ALTER INDEX payload_whole_pkey RENAME TO payload_pkey")
