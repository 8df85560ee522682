"""Alembic's entry: the connection comes from `gateway.migrate`."""

from importlib import import_module

from alembic import context
from sqlmodel import SQLModel

for room in ("gateway", "knowledge", "rules", "sync"):
    import_module(f"{room}.tables")
for tables in (
    "case_tables",
    "conflict_tables",
    "file_tables",
    "inbox_tables",
    "pull_tables",
    "voice_tables",
):
    import_module(f"sync.{tables}")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # Partitions come and go; the models know the whole.
    include_name=lambda name, kind, _: kind != "table" or not (name or "").startswith("payload_"),
)
with context.begin_transaction():
    context.run_migrations()
