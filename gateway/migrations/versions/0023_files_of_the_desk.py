"""Files that people at the built-in desk send, kept until they have been sent."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "desk_file",
        sa.Column("ref", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("hand_off_ref", sa.BigInteger(), nullable=False),
        sa.Column("conversation_ref", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index(op.f("ix_desk_file_hand_off_ref"), "desk_file", ["hand_off_ref"])
    op.create_index(op.f("ix_desk_file_expires_at"), "desk_file", ["expires_at"])
    op.create_table(
        "desk_file_part",
        sa.Column("file_ref", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("file_ref", "number"),
    )
    # Pictures and films are compressed already: to try it again costs time and gains nothing.
    op.execute("ALTER TABLE desk_file_part ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Take back."""
    op.drop_table("desk_file_part")
    op.drop_table("desk_file")
