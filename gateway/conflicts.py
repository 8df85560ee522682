"""What a person does about a conflict over a shared field: one transaction, the customer held."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.fieldwork import rules_of, save_shared
from gateway.house import House, new_key
from sync import resolving
from sync.copies import Dispute
from sync.resolving import Previous, RefusedConflictError, Resolution
from sync.store import conflicts, customers
from sync.store.conflicts import FieldConflict, StoredConflict
from sync.store.customers import PeopleMovedError
from sync.thread import CustomerState


class UnknownConflictError(LookupError):
    """No conflict has this ref."""


async def resolve(house: House, connection: AsyncConnection, resolution: Resolution) -> FieldConflict:
    """Decide a conflict; the value is written to whoever holds another. The conflict as it is then.

    Raises RefusedConflictError or UnknownConflictError.
    """
    found, customer = await _held(connection, resolution.ref)
    rules = rules_of(house.settings)
    previous = resolving.resolve(customer, found.field, resolution, rules)
    await save_shared(connection, customer, house.settings, rules, new_key=new_key, now=resolution.at)
    await conflicts.mark_resolved(
        connection,
        resolution.ref,
        by=resolution.person.id,
        chosen=resolution.choice.value,
        previous=previous,
        at=resolution.at,
    )
    return await _shown(connection, resolution.ref)


async def undo(house: House, connection: AsyncConnection, ref: int) -> FieldConflict:
    """Open a resolved conflict again, and give each side back what it held. Raises as `resolve`."""
    found, customer = await _held(connection, ref)
    if found.previous is None:
        raise RefusedConflictError(f"conflict {ref} was not resolved by a person: there is nothing to undo")
    rules = rules_of(house.settings)
    resolving.undo(
        customer,
        found.field,
        msgspec.convert(found.previous, Previous),
        conflict=Dispute(ref=ref, theirs=found.theirs),
        base=found.base,
        rules=rules,
    )
    await save_shared(connection, customer, house.settings, rules, new_key=new_key, now=house.clock())
    await conflicts.mark_open(connection, ref)
    return await _shown(connection, ref)


async def _held(connection: AsyncConnection, ref: int) -> tuple[StoredConflict, CustomerState]:
    """The conflict and its customer. The customer is locked first, as everywhere."""
    known = await conflicts.conflict(connection, ref)
    if known is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    try:
        customer = await customers.hold(connection, known.customer_ref)
    except PeopleMovedError as error:
        raise RefusedConflictError("the customer is being merged just now: try again") from error
    found = await conflicts.stored(connection, ref)
    if found is None or customer is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    return found, customer


async def _shown(connection: AsyncConnection, ref: int) -> FieldConflict:
    shown = await conflicts.conflict(connection, ref)
    if shown is None:
        raise UnknownConflictError(f"there is no conflict {ref}")
    return shown
