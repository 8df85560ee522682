"""Replaying and dropping what is parked, in the caller's transaction."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct, field
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import AdapterError
from adapters.model import Origin
from gateway.house import House
from gateway.parking.rereading import read_malformed
from sync.parking import CommandFacts, Item, Kind, Objection, Parked, object_to, poison_of
from sync.store import inbox, parking
from sync.store.parking import Deed, Place, Wanted


class RefusedReplayError(Exception):
    """It can't be done now; the message says why."""


class UnknownParkedError(LookupError):
    """Nothing parked has this id."""


class Choice(Struct, frozen=True, kw_only=True):
    """How to replay. `force` overrules whatever is not firm; `per_second` spares the vendor."""

    origin: Origin = Origin.REPLAY
    force: bool = False
    per_second: float = 5.0


class LeftOut(Struct, frozen=True, kw_only=True):
    """One that was not replayed, and why."""

    id: str
    why: str


class Batch(Struct, frozen=True, kw_only=True):
    """What a bulk replay did with one batch; `last` is where the next one starts."""

    replayed: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    last: Place | None = None


async def find(connection: AsyncConnection, wanted: Item) -> Parked:
    """What is or was parked under this id. Raises UnknownParkedError."""
    found = await parking.one(connection, wanted)
    if found is None:
        raise UnknownParkedError(f"{wanted} is not parked, and never was")
    return found


async def replay(
    house: House, connection: AsyncConnection, wanted: Item, choice: Choice, deed: Deed
) -> Parked:
    """Let one be tried again. Raises RefusedReplayError or UnknownParkedError; roll back then."""
    parked = await find(connection, wanted)
    facts = await _facts(connection, [parked])
    against = _against(parked, facts.get(parked.ref), choice, bulk=False)
    if against is not None:
        raise RefusedReplayError(against.why if against.firm else f"{against.why}; force it if you mean it")
    if parked.state == "malformed":
        await _read_again(house, connection, parked, choice, deed)
    elif not await _move(connection, [parked], choice, deed):
        raise RefusedReplayError("somebody else was faster: it is not parked any more")
    return await find(connection, wanted)


async def replay_batch(
    house: House,
    connection: AsyncConnection,
    wanted: Wanted,
    choice: Choice,
    deed: Deed,
    *,
    after: Place | None,
    most: int,
) -> Batch:
    """Replay the next `most` that fit, leaving out what should not be; commands go one by one, in time."""
    found = await parking.parked(connection, wanted, after=after, most=most)
    facts = await _facts(connection, found)
    left_out: list[LeftOut] = []
    going: list[Parked] = []
    for parked in found:
        against = _against(parked, facts.get(parked.ref), choice, bulk=True)
        if against is not None:
            left_out.append(LeftOut(id=parked.id, why=against.why))
        elif parked.state == "malformed":
            try:
                await _read_again(house, connection, parked, choice, deed)
                going.append(parked)
            except RefusedReplayError as error:
                left_out.append(LeftOut(id=parked.id, why=str(error)))
        else:
            going.append(parked)
    moved = await _move(connection, [p for p in going if p.state != "malformed"], choice, deed)
    replayed = [p.id for p in going if p.state == "malformed" or p.item in moved]
    more = found[-1] if len(found) == most else None
    last = Place(more.parked_at or more.created_at, more.item) if more else None
    return Batch(replayed=replayed, left_out=left_out, last=last)


async def preview_batch(
    connection: AsyncConnection, wanted: Wanted, choice: Choice, *, after: Place | None, most: int
) -> Batch:
    """Which a bulk replay would take, and which it would leave out."""
    found = await parking.parked(connection, wanted, after=after, most=most)
    facts = await _facts(connection, found)
    against = {p.id: _against(p, facts.get(p.ref), choice, bulk=True) for p in found}
    more = found[-1] if len(found) == most else None
    return Batch(
        replayed=[one for one, why in against.items() if why is None],
        left_out=[LeftOut(id=one, why=why.why) for one, why in against.items() if why is not None],
        last=Place(more.parked_at or more.created_at, more.item) if more else None,
    )


async def drop(connection: AsyncConnection, wanted: Item, deed: Deed) -> Parked:
    """Give one up. Raises RefusedReplayError or UnknownParkedError; roll back then."""
    parked = await find(connection, wanted)
    if not await parking.drop(connection, wanted, deed):
        raise RefusedReplayError(f"it is not parked but {parked.state}")
    return await find(connection, wanted)


def _against(parked: Parked, facts: CommandFacts | None, choice: Choice, *, bulk: bool) -> Objection | None:
    against = object_to(parked, facts)
    poison = poison_of(parked) if bulk else None
    if poison is not None:
        against.append(poison)
    return next((objection for objection in against if objection.firm or not choice.force), None)


async def _facts(connection: AsyncConnection, found: Sequence[Parked]) -> dict[int, CommandFacts]:
    refs = [parked.ref for parked in found if parked.kind is Kind.COMMAND]
    return await parking.facts(connection, refs) if refs else {}


async def _move(
    connection: AsyncConnection, found: Sequence[Parked], choice: Choice, deed: Deed
) -> set[Item]:
    events = [parked.ref for parked in found if parked.kind is Kind.EVENT]
    commands = [parked.ref for parked in found if parked.kind is Kind.COMMAND]
    moved: set[Item] = set()
    if events:
        done = await parking.replay_events(connection, events, deed, origin=choice.origin)
        moved |= {Item(Kind.EVENT, ref) for ref in done}
    if commands:
        apart = timedelta(seconds=1 / choice.per_second)
        done = await parking.replay_commands(connection, commands, deed, apart=apart)
        moved |= {Item(Kind.COMMAND, ref) for ref in done}
    return moved


async def _read_again(
    house: House, connection: AsyncConnection, parked: Parked, choice: Choice, deed: Deed
) -> None:
    stored = await parking.event(connection, parked.ref)
    if stored is None:
        raise RefusedReplayError("its body has aged out")
    try:
        events = read_malformed(house.adapters, stored[0], choice.origin)
    except (AdapterError, LookupError) as error:
        raise RefusedReplayError(f"it still can't be read: {error}") from error
    if not await parking.read_again(connection, parked.ref, deed, origin=choice.origin):
        raise RefusedReplayError("somebody else was faster: it is not parked any more")
    await inbox.accept(connection, events)
