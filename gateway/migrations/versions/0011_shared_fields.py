"""Shared fields: what was agreed about each, what it should be, and conflicts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    """Apply."""
    op.add_column("customer", sa.Column("revision", sa.BigInteger(), nullable=True))
    for name in ("shared", "golden"):
        op.add_column("customer", sa.Column(name, _JSON, server_default=sa.text("'{}'"), nullable=False))
    op.create_table(
        "conflict",
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_ref", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("base", _JSON, nullable=True),
        sa.Column("ours", _JSON, nullable=False),
        sa.Column("theirs", _JSON, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("choice", sa.Text(), nullable=True),
        sa.Column("previous", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("conflict_open", "conflict", ["ref"], postgresql_where=sa.text("resolved_at IS NULL"))
    op.create_index("conflict_customer", "conflict", ["customer_ref"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("conflict")
    for name in ("golden", "shared", "revision"):
        op.drop_column("customer", name)
