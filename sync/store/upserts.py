"""Statements that insert rows by our ref, or bring those that are there up to date."""

from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as upsert


def upsert_by_ref(table: Any, *columns: str) -> Any:
    """Insert by `ref`; a row that is there gets the new values of `columns`. Built once: that isn't cheap."""
    statement = upsert(table)
    new = {name: statement.excluded[name] for name in columns}
    return statement.on_conflict_do_update(
        index_elements=["ref"], set_=new | {"xid": func.pg_current_xact_id()}
    )
