"""Pulling: history waits apart from what is live; runs, cursors, and what reconciliations find."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("inbox", sa.Column("form", sa.Text(), server_default="vendor", nullable=False))
    op.drop_index("inbox_pending", table_name="inbox")
    for name, origin in (("inbox_live", "= 'live'"), ("inbox_history", "<> 'live'")):
        op.create_index(
            name,
            "inbox",
            ["lane", "ref"],
            postgresql_where=sa.text(f"state = 'pending' AND origin {origin}"),
        )
    for table in ("conversation", "identity"):
        op.add_column(table, sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "pull_run",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("pull_run_latest", "pull_run", ["connection", "purpose", "ref"])
    op.create_table(
        "pull_cursor",
        sa.Column("run_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("behind", sa.Text(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("ends", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("met", sa.Integer(), server_default="0", nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_ref", "kind", "scope"),
    )
    op.create_index(
        "pull_cursor_open",
        "pull_cursor",
        ["run_ref", "kind", "scope"],
        postgresql_where=sa.text("NOT done"),
    )
    op.create_table(
        "pull_seen",
        sa.Column("run_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_ref", "kind", "id"),
    )
    op.create_table(
        "pull_difference",
        sa.Column("run_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("why", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("event_keys", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_ref", "kind", "id"),
    )


def downgrade() -> None:
    """Take back."""
    for table in ("pull_difference", "pull_seen", "pull_cursor", "pull_run"):
        op.drop_table(table)
    for table in ("conversation", "identity"):
        op.drop_column(table, "deleted_at")
    op.drop_index("inbox_history", table_name="inbox")
    op.drop_index("inbox_live", table_name="inbox")
    op.create_index("inbox_pending", "inbox", ["lane", "ref"], postgresql_where=sa.text("state = 'pending'"))
    op.drop_column("inbox", "form")
