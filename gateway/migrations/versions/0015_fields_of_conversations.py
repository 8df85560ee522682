"""Linked conversations: what their connections say of subject and custom attributes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    """Apply."""
    op.add_column("conversation_link", sa.Column("subject", sa.Text(), server_default="", nullable=False))
    op.add_column("conversation_link", sa.Column("attributes", _JSON, server_default="{}", nullable=False))
    op.execute(
        "UPDATE conversation_link l SET subject = v.subject, attributes = v.attributes"
        " FROM conversation v WHERE v.ref = l.conversation_ref"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("conversation_link", "attributes")
    op.drop_column("conversation_link", "subject")
