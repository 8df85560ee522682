"""Alembic's entry: the connection comes from `gateway.migrate`."""

from importlib import import_module

from alembic import context
from sqlmodel import SQLModel

for room in ("gateway", "knowledge", "rules", "sync"):
    import_module(f"{room}.tables")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
)
with context.begin_transaction():
    context.run_migrations()
