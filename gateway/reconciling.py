"""Reconciling: a full pass over a connection that says what differed, heals it, and finds what is gone."""

from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import Rejected, Unsupported
from adapters.model import FindCustomer, Identity, IdentityKind, PullKind
from gateway.pages import differing
from gateway.pulling import GONE, Puller, Purpose
from sync.pull import Pulled
from sync.store import pulls, reconciling
from sync.store.pulls import Run
from sync.store.reconciling import Difference, Healing

AT_A_TIME = 200
REPORTS_KEPT = 30
"""So many reconciliations of a connection keep their differences."""
NOT_THERE = "gone"


async def reconcile(puller: Puller, *, anew: bool = False) -> Run:
    """Compare everything, heal what differs, mark what is gone; goes on with a pass that was cut off.

    What the latest backfill left out is left out here. Raises PullStoppedError, PullBusyError.
    """
    async with puller.session(Purpose.RECONCILE) as database:
        async with database.begin():
            filled = await pulls.latest_run(database, name=puller.name, purpose=Purpose.BACKFILL)
        run = await puller.begin(
            database, Purpose.RECONCILE, since=filled.since if filled else None, anew=anew
        )
        async with puller.ending(database, run):
            await puller.walk(database, run)
            for kind in (PullKind.CUSTOMERS, PullKind.CONVERSATIONS):
                await _find_gone(puller, database, run, kind)
            await puller.settle(database)
            await _conclude(puller, database, run)
        return run


async def _find_gone(puller: Puller, database: AsyncConnection, run: Run, kind: PullKind) -> None:
    """Mark what a complete pass didn't meet and the vendor, asked for it by name, doesn't know.

    Asked, because lists move while they are read: a record can slip from one page to the one before.
    """
    counts = run.of(kind)
    if not counts.complete or counts.problem:
        return
    after = ""
    while True:
        async with database.begin():
            ids = await reconciling.unseen(
                database,
                run.ref,
                kind,
                name=puller.name,
                before=run.started_at,
                after=after,
                most=AT_A_TIME,
            )
        if not ids:
            return
        after = ids[-1]
        gone = [each for each in ids if await _is_gone(puller, kind, each)]
        async with database.begin():
            counts.gone += await reconciling.mark_gone(
                database, kind, gone, name=puller.name, now=puller.clock()
            )
            found = [Difference(kind=kind, id=each, why=(NOT_THERE,)) for each in gone]
            counts.differed += (await reconciling.add_differences(database, run.ref, found)).get(kind, 0)
            await pulls.save_run(database, run)


async def _is_gone(puller: Puller, kind: PullKind, which: str) -> bool:
    """Whether the vendor says that it doesn't know this record. What can't be asked isn't gone."""
    try:
        if kind is PullKind.CUSTOMERS:
            query = FindCustomer(identity=Identity(IdentityKind.VENDOR, which))
            return await puller.ask(lambda: puller.adapter.find(query)) is None
        await puller.ask(lambda: puller.adapter.pull(PullKind.MESSAGES, None, scope=which))
    except Unsupported:
        return False
    except Rejected as error:
        return error.status in GONE
    return False


async def _conclude(puller: Puller, database: AsyncConnection, run: Run) -> None:
    """Say of each difference what became of it, now that its events are worked."""
    after = ("", "")
    while True:
        async with database.begin():
            found = await reconciling.list_differences(database, run.ref, after=after, most=AT_A_TIME)
            if not found:
                await reconciling.forget(database, run.ref, name=puller.name, keep=REPORTS_KEPT)
                return
            keys = [key for each in found for key in each.event_keys]
            healings = await reconciling.load_healings(database, puller.name, keys)
            left = await _left(database, puller.name, healings)
            outcomes = [_outcome(each, healings, left) for each in found]
            await reconciling.conclude(database, run.ref, outcomes)
        after = (found[-1].kind.value, found[-1].id)


async def _left(
    database: AsyncConnection, name: str, healings: dict[str, Healing]
) -> dict[str, tuple[str, ...]]:
    """In what the records that these events tell of still differ, by event."""
    left: dict[str, tuple[str, ...]] = {}
    for key, healing in healings.items():
        changes = msgspec.json.decode(healing.body, type=tuple[Pulled, ...])
        still = await differing(database, name, changes)
        left[key] = tuple(dict.fromkeys(field for _, why in still for field in why))
    return left


def _outcome(found: Difference, healings: dict[str, Healing], left: dict[str, tuple[str, ...]]) -> Difference:
    if found.why == (NOT_THERE,):
        return msgspec.structs.replace(found, outcome="marked")
    if not found.event_keys:
        return msgspec.structs.replace(found, outcome="unhealed", reason="nothing the helpdesk says heals it")
    reason = _reason([healings[key] for key in found.event_keys if key in healings])
    fields = tuple(dict.fromkeys(field for key in found.event_keys for field in left.get(key, ())))
    if fields:
        reason = reason or f"still differs: {', '.join(fields)}"
        return msgspec.structs.replace(found, outcome="unhealed", reason=reason)
    return msgspec.structs.replace(found, outcome="healed")


def _reason(healings: Sequence[Healing]) -> str | None:
    parked = next((each for each in healings if each.state == "parked"), None)
    return None if parked is None else f"its event is parked: {parked.reason}"
