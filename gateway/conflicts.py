"""What a person does about a conflict over a shared field: one transaction, the customer held."""

from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from gateway import casework
from gateway.fieldwork import rules_of, save_shared
from gateway.house import House
from gateway.keys import new_key
from sync import resolving
from sync.cases import CaseRecord
from sync.copies import Dispute
from sync.fields import FieldRules
from sync.resolving import Previous, RefusedConflictError, Resolution
from sync.store import cases, conflicts, customers
from sync.store.conflicts import FieldConflict, StoredConflict
from sync.store.customers import PeopleMovedError
from sync.thread import CustomerState


class UnknownConflictError(LookupError):
    """No conflict has this ref."""


async def resolve(house: House, connection: AsyncConnection, resolution: Resolution) -> FieldConflict:
    """Decide a conflict; the value is written to whoever holds another. The conflict as it is then.

    Raises RefusedConflictError or UnknownConflictError.
    """
    found, record = await _held(connection, resolution.ref)
    previous = resolving.resolve(record, found.field, resolution, _rules(house, record))
    await _save(house, connection, record, now=resolution.at)
    await conflicts.mark_resolved(
        connection,
        resolution.ref,
        by=resolution.person.id,
        chosen=resolution.choice.value,
        previous=previous,
        at=resolution.at,
    )
    return await _shown(connection, resolution.ref)


async def undo(house: House, connection: AsyncConnection, ref: int, person: Person) -> FieldConflict:
    """Open a resolved conflict again, and give each side back what it held. Raises as `resolve`."""
    found, record = await _held(connection, ref)
    if found.previous is None:
        raise RefusedConflictError(f"conflict {ref} was not resolved by a person: there is nothing to undo")
    resolving.undo(
        record,
        found.field,
        msgspec.convert(found.previous, Previous),
        conflict=Dispute(ref=ref, theirs=found.theirs),
        base=found.base,
        rules=_rules(house, record),
    )
    now = house.clock()
    await _save(house, connection, record, now=now)
    await conflicts.mark_open(connection, ref, by=person.id, at=now)
    return await _shown(connection, ref)


def _rules(house: House, record: CustomerState | CaseRecord) -> FieldRules:
    return (rules_of if isinstance(record, CustomerState) else casework.rules_of)(house.settings)


async def _save(
    house: House, connection: AsyncConnection, record: CustomerState | CaseRecord, *, now: datetime
) -> None:
    rules = _rules(house, record)
    if isinstance(record, CustomerState):
        await save_shared(connection, record, house.settings, rules, new_key=new_key, now=now)
    else:
        await casework.save_shared(connection, record, rules, new_key=new_key, now=now)


async def _held(connection: AsyncConnection, ref: int) -> tuple[StoredConflict, CustomerState | CaseRecord]:
    """The conflict and its record. The record is locked first, as everywhere."""
    known = await conflicts.conflict(connection, ref)
    if known is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    try:
        record = await _record(connection, known)
    except PeopleMovedError as error:
        raise RefusedConflictError("the record is being merged or linked just now: try again") from error
    found = await conflicts.stored(connection, ref)
    if found is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    if record is None:
        raise RefusedConflictError(f"{known.record} at {known.connection} is not linked any more")
    return found, record


async def _record(connection: AsyncConnection, of: FieldConflict) -> CustomerState | CaseRecord | None:
    if of.conversation_ref is not None:
        return (await cases.hold(connection, [of.conversation_ref])).get(of.conversation_ref)
    assert of.customer_ref is not None
    return await customers.hold(connection, of.customer_ref)


async def _shown(connection: AsyncConnection, ref: int) -> FieldConflict:
    shown = await conflicts.conflict(connection, ref)
    if shown is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    return shown
