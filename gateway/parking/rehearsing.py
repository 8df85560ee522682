"""What a replay would do: an event is worked and rolled back, the vendor is asked about a command."""

import msgspec
from msgspec import Struct, field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters import model
from adapters.contract import Adapter
from adapters.errors import AdapterError
from adapters.model import Origin
from gateway.house import House
from gateway.limits.purpose import spending
from gateway.looking import look_for
from gateway.parking.effects import Effect, effects, remember
from gateway.parking.rereading import read_malformed
from gateway.scene import AI
from sync.parking import CommandFacts, Kind, Parked, object_to, poison_of
from sync.priority import Priority
from sync.store import inbox, parking
from sync.store.field_updates import UPDATE_CONVERSATION, UPDATE_CUSTOMER
from sync.store.inbox import Event, RawEvent


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What would happen. `would` is one line; `objections` are what speaks against it."""

    id: str
    would: str
    objections: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    found: str | None = None
    """The vendor's id of the message, where the vendor has it already."""


async def rehearse(house: House, parked: Parked, origin: Origin) -> Rehearsal:
    """Try a replay out; nothing of it stays, and nobody outside is told anything."""
    async with house.engine.connect() as connection, connection.begin() as transaction:
        try:
            if parked.kind is Kind.COMMAND:
                facts = (await parking.facts(connection, [parked.ref]))[parked.ref]
            else:
                return await _rehearse_event(house, connection, parked, origin)
        finally:
            await transaction.rollback()
    # Asking the vendor may take long: no transaction waits for it.
    return await _rehearse_command(house, parked, facts)


def _rehearsal(
    parked: Parked,
    would: str,
    *,
    facts: CommandFacts | None = None,
    found: str | None = None,
    effects: list[Effect] | None = None,
) -> Rehearsal:
    poison = poison_of(parked)
    against = [*object_to(parked, facts), *([poison] if poison else [])]
    return Rehearsal(
        id=parked.id,
        would=would,
        objections=[objection.why for objection in against],
        effects=effects or [],
        found=found,
    )


async def _rehearse_event(
    house: House, connection: AsyncConnection, parked: Parked, origin: Origin
) -> Rehearsal:
    if not parked.waiting_for_somebody:
        return _rehearsal(parked, "do nothing")
    stored = await parking.event(connection, parked.ref)
    if stored is None:
        return _rehearsal(parked, "fail: its body has aged out")
    try:
        events = _events(house, parked, stored[0], origin)
    except (AdapterError, LookupError) as error:
        return _rehearsal(parked, f"stay malformed: {error}")
    try:
        done = [effect for event in events for effect in await _work(house, connection, event)]
    except DBAPIError as error:
        return _rehearsal(parked, f"be parked again: the database refuses it: {error.orig}")
    except Exception as error:  # noqa: BLE001 - whatever it is, that is what would happen
        return _rehearsal(parked, f"be parked again: {type(error).__name__}: {error}")
    would = "change what is listed" if done else "change nothing: all of it is known or of the past"
    return _rehearsal(parked, would, effects=done)


def _events(house: House, parked: Parked, event: Event, origin: Origin) -> list[Event]:
    """The event under its new origin; for a malformed body, the events that it turns out to hold."""
    if parked.state != "malformed":
        return [msgspec.structs.replace(event, origin=origin)]
    return [_provisional(event.ref, raw) for raw in read_malformed(house.adapters, event, origin)]


def _provisional(ref: int, raw: RawEvent) -> Event:
    return Event(
        ref=ref,
        connection=raw.connection,
        lane=raw.lane,
        origin=raw.origin,
        form=raw.form,
        received_at=raw.received_at,
        body=raw.body,
    )


async def _work(house: House, connection: AsyncConnection, event: Event) -> list[Effect]:
    worker = house.lane_worker()
    changes = worker.read(event)
    await inbox.lock_lane(connection, event.lane)
    stage = await worker.load(connection, [(event, change) for change in changes])
    before = remember(stage)
    await worker.decide(connection, stage, [(event, changes)])
    done = effects(before, stage)
    await worker.save(connection, stage)
    return done


async def _rehearse_command(house: House, parked: Parked, facts: CommandFacts) -> Rehearsal:
    adapter = house.adapters.get(facts.connection)
    if any(objection.firm for objection in object_to(parked, facts)):
        return _rehearsal(parked, "do nothing", facts=facts)
    if adapter is None:
        gone = f"wait for a connection called {facts.connection!r}: it is not configured"
        return _rehearsal(parked, "ask the AI again" if facts.connection == AI else gone, facts=facts)
    try:
        found = await _ask(adapter, facts)
    except msgspec.ValidationError as error:
        would = f"be parked again: the stored command can't be read: {error}"
        return _rehearsal(parked, would, facts=facts)
    except AdapterError as error:
        would = f"be sent, unless the vendor has it: it could not be asked just now ({error})"
        return _rehearsal(parked, would, facts=facts)
    if found is not None:
        would = "be marked done and not sent: the vendor has it"
        return _rehearsal(parked, would, facts=facts, found=found.id)
    sent = Effect(what="sent", at=facts.connection, detail={"kind": facts.kind, "body": facts.body})
    return _rehearsal(parked, f"be sent to {facts.connection}", facts=facts, effects=[sent])


async def _ask(adapter: Adapter, facts: CommandFacts) -> model.MessageRecord | None:
    if facts.kind in {UPDATE_CUSTOMER, UPDATE_CONVERSATION}:
        return None  # what to write is looked up when it goes
    command = msgspec.convert(facts.body, model.Command)
    if not isinstance(command, model.Reply | model.Note):
        return None
    with spending(Priority.BACKFILL):
        return await look_for(adapter, command, since=facts.created_at)
