"""Working lanes: one transaction from raw events to commands (DESIGN §5)."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct, field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import rules.store as rules_store
from adapters import model
from adapters.contract import Adapter
from adapters.model import AnswerPrepared, DeskActed, MessagePosted
from config.clock import Clock
from config.database import at_once, refuses_data, transaction
from config.settings import Settings
from gateway import casework, packing, stream_store, touching
from gateway.fieldwork import rules_of, updates
from gateway.linking import link_rules
from gateway.scene import (
    DESK,
    INSIDE,
    Deed,
    DoubtSettled,
    Occasion,
    Opened,
    Policies,
    Received,
    Scene,
    Stage,
    Timer,
)
from gateway.touching import home_of
from gateway.wiring import Event as Change
from gateway.wiring import advance
from sync.people import People
from sync.priority import Priority
from sync.pull import Pulled
from sync.store import conflicts, customers, field_updates, inbox, loading, threads, tickets
from sync.store.customers import PeopleMovedError
from sync.store.field_updates import UPDATE_CUSTOMER
from sync.store.inbox import Event, Form
from sync.thread import CustomerState, Thread

log = structlog.get_logger()
HISTORY_EVERY = 0.2
"""How often history is looked for while live events come without a pause, in seconds."""
HISTORY_LANES, HISTORY_PER_LANE = 16, 2
"""A batch of history is small: what is live never waits long behind it."""


class Spoilt(Struct, frozen=True):
    """An event that its adapter can't read."""

    event: Event
    detail: str


class Worked(Struct, kw_only=True):
    """What a batch did, for the metrics."""

    lanes: list[str] = field(default_factory=list)
    events: int = 0
    received: list[datetime] = field(default_factory=list)
    """When the live ones were received: how long history took tells nothing."""
    verdicts: list[str] = field(default_factory=list)
    hand_offs: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    """The connections at which messages failed that had been accepted."""
    parked: int = 0
    more: bool = True
    """Whether more may have waited than was taken."""


class LaneWorker:
    """Takes lanes and works their events."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        settings: Settings,
        adapters: Mapping[str, Adapter],
        policies: Callable[[], Policies],
        clock: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._engine = at_once(engine)
        self._settings = settings
        self._adapters = adapters
        self._policies = policies
        self._clock = clock
        self._new_key = new_key
        self._link_rules = link_rules(settings.identity)
        self._field_rules = rules_of(settings)
        self._case_rules = casework.rules_of(settings)
        self._abilities = {name: adapter.capabilities for name, adapter in adapters.items()}
        self._desks = settings.desks
        self._after = {True: "", False: ""}
        self._was_live = False
        self._history_waits = True
        self._look_for_history = 0.0
        self._tried: list[str] = []

    async def work(self) -> Worked:
        """Work one batch of lanes; `lanes` is empty when nothing waits (or others hold it all)."""
        while True:
            try:
                return await self._work()
            except PeopleMovedError as error:
                log.info("batch_begins_again", why=str(error))

    async def _work(self) -> Worked:
        try:
            return await self._batch()
        except PeopleMovedError:
            raise
        except Exception as error:  # find the event that did it, and let the others pass
            if isinstance(error, DBAPIError) and not refuses_data(error):
                raise
            log.warning("batch_failed", error=traceback.format_exc(limit=-3))
        return await self._one_by_one()

    async def _batch(self) -> Worked:
        async with transaction(self._engine) as connection:
            events = await self._next(connection)
            if not events:
                return Worked()
            worked = await self.apply(connection, events)
        full = len(self._tried) >= self._settings.lanes.lanes_per_batch
        worked.more = full or len(events) >= inbox.EVENTS_PER_LANE or self._history_waits
        return worked

    async def _next(self, connection: AsyncConnection) -> list[Event]:
        """The next events: live ones, and between their batches, however many wait, a little history."""
        self._tried = []
        history_first = self._was_live and (self._history_waits or time.monotonic() >= self._look_for_history)
        for history in (history_first, not history_first):
            lanes = await self._take(connection, history=history)
            if history:
                self._history_waits = bool(lanes)
                self._look_for_history = time.monotonic() + HISTORY_EVERY
            if lanes:
                self._tried = lanes
                self._was_live = not history
                per_lane = HISTORY_PER_LANE if history else inbox.EVENTS_PER_LANE
                return await inbox.read_events(connection, lanes, per_lane=per_lane)
        return []

    async def _take(self, connection: AsyncConnection, *, history: bool) -> list[str]:
        """The next lanes in name order, going round: a flood in one can't starve the rest."""
        most = self._settings.lanes.lanes_per_batch
        if history:
            most = min(most, HISTORY_LANES)
        after = self._after[history]
        lanes = await inbox.take_lanes(connection, after=after, most=most, history=history)
        if len(lanes) < most and after:
            more = await inbox.take_lanes(connection, after="", most=most - len(lanes), history=history)
            # Our own locks don't keep us out: what was taken already comes again on the way round.
            lanes = list(dict.fromkeys([*lanes, *more]))
        self._after[history] = lanes[-1] if len(lanes) == most else ""
        return lanes

    async def _one_by_one(self) -> Worked:
        """Work the batch's lanes event by event, so that the one that fails is known and set aside."""
        total = Worked()
        for lane in self._tried:
            async with transaction(self._engine) as connection:
                if not await inbox.try_lane(connection, lane):
                    continue
                events = await inbox.read_events(connection, [lane], per_lane=1)
                if not events:
                    continue
                done = await self._attempt(connection, events[0])
            total.lanes += done.lanes
            total.events += done.events
            total.parked += done.parked
        return total

    async def _attempt(self, connection: AsyncConnection, event: Event) -> Worked:
        try:
            async with connection.begin_nested():
                return await self.apply(connection, [event])
        except PeopleMovedError:
            raise
        except DBAPIError as error:
            if not refuses_data(error):
                raise
            return await self._set_aside(connection, event, "database_error")
        except Exception:  # noqa: BLE001 - whatever it is, it must not hold up the lane
            return await self._set_aside(connection, event, "failed")

    async def _set_aside(self, connection: AsyncConnection, event: Event, reason: str) -> Worked:
        detail = traceback.format_exc(limit=-5)
        log.error("event_parked", event_ref=event.ref, lane=event.lane, reason=reason, error=detail)
        await inbox.park(connection, event.ref, reason=reason, detail=detail, now=self._clock())
        return Worked(lanes=[event.lane], parked=1)

    async def apply(self, connection: AsyncConnection, events: Sequence[Event]) -> Worked:
        """Parse, load, decide and save; the caller holds the lanes' locks and the transaction."""
        parsed, spoilt = self._parse(events)
        stage = await self.load(connection, [(e, c) for e, cs in parsed for c in cs])
        await self.decide(connection, stage, parsed)
        await self.save(connection, stage)
        await casework.share(connection, stage, parsed, self._case_rules)
        now = self._clock()
        await inbox.finish(connection, [event.ref for event, _ in parsed], now=now)
        for bad in spoilt:
            await inbox.park(connection, bad.event.ref, reason="unreadable", detail=bad.detail, now=now)
        return _report(events, stage, parked=len(spoilt))

    async def decide(
        self, connection: AsyncConnection, stage: Stage, parsed: Sequence[tuple[Event, Sequence[Change]]]
    ) -> None:
        """Let the changes take their whole effect on the stage."""
        for event, changes in parsed:
            home = home_of(event)
            occasion = Occasion(event_ref=event.ref, origin=event.origin, received_at=event.received_at)
            for change in changes:
                advance(stage, home, change, occasion)
        await packing.pack(connection, stage)

    def _parse(self, events: Sequence[Event]) -> tuple[list[tuple[Event, Sequence[Change]]], list[Spoilt]]:
        parsed: list[tuple[Event, Sequence[Change]]] = []
        spoilt: list[Spoilt] = []
        for event in events:
            try:
                parsed.append((event, self.read(event)))
            except Exception as error:  # noqa: BLE001 - a body that its adapter chokes on
                log.warning("event_parked", event_ref=event.ref, lane=event.lane, error=repr(error))
                spoilt.append(Spoilt(event, traceback.format_exc(limit=-3)))
        return parsed, spoilt

    def read(self, event: Event) -> Sequence[Change]:
        """What an event's body means; raises whatever its adapter raises."""
        if event.connection in INSIDE:
            return (msgspec.json.decode(event.body, type=_INSIDE_CHANGES),)
        if event.form is Form.CANONICAL:
            return msgspec.json.decode(event.body, type=tuple[Pulled, ...])
        adapter = self._adapters.get(event.connection)
        if adapter is None:
            raise LookupError(f"no connection is called {event.connection!r} any more")
        return adapter.parse(event.body)

    async def load(self, connection: AsyncConnection, changes: Sequence[tuple[Event, Change]]) -> Stage:
        """All that these changes touch, as it stands now."""
        stage = Stage(
            settings=self._settings,
            policies=self._policies(),
            refs=await threads.next_refs(connection),
            now=self._clock(),
            new_key=self._new_key,
            people=People(self._link_rules),
            field_rules=self._field_rules,
            abilities=self._abilities,
        )
        pairs = [(home_of(event), change) for event, change in changes]
        found = await loading.load(
            connection, dict.fromkeys(a for p in pairs for a in touching.addresses(*p))
        )
        stage.streams = await stream_store.load(connection, touching.streams(pairs, found), now=stage.now)
        stage.customers, stage.people = await customers.load(
            connection,
            told=[(home, record) for home, change in pairs for record in touching.records(change)],
            named=[a for p in pairs for a in touching.named(*p)],
            merged=[a for p in pairs for a in (*touching.merged(*p), *self._moved(p, found))],
            threads=list(found.values()),
            rules=self._link_rules,
        )
        refs = [thread.ref for thread in found.values()]
        histories, fired = await rules_store.load_pasts(connection, refs)
        stage.scenes = {
            address: Scene(thread=thread, history=histories[thread.ref], fired=fired.get(thread.ref, []))
            for address, thread in found.items()
        }
        await loading.load_people(connection, found.values())
        await self._load_messages(connection, stage, pairs)
        return stage

    def _moved(
        self, pair: tuple[str, Change], found: Mapping[tuple[str, str], Thread]
    ) -> Iterator[tuple[str, str]]:
        """Whom the vendor has made one, told only by a conversation that has passed to another."""
        home, change = pair
        adapter = self._adapters.get(home)
        if adapter is None or not adapter.merges_by_moving:
            return
        for address in touching.addresses(home, change):
            if address in found:
                found[address].merges = True
        yield from touching.moved(home, change, found)

    async def _load_messages(
        self, connection: AsyncConnection, stage: Stage, pairs: Sequence[tuple[str, Change]]
    ) -> None:
        posted = [(home, c) for home, c in pairs if isinstance(c, MessagePosted)]
        existing = _threads(stage, posted)
        await loading.load_known_messages(connection, existing, [c.message.id for _, c in posted])
        told = _threads(stage, [(home, c) for home, c in pairs if isinstance(c, _TOLD)])
        named = [name for _, change in pairs for name in touching.written(change)]
        await loading.load_ledger(connection, told, named)
        await loading.load_recent(connection, _resolved(stage, pairs))
        await self._load_origins(connection, stage, pairs)
        for thread in told:
            adapter = self._adapters.get(thread.conversation.connection)
            thread.tokens = adapter is not None and adapter.keeps_tokens

    async def _load_origins(
        self, connection: AsyncConnection, stage: Stage, pairs: Sequence[tuple[str, Change]]
    ) -> None:
        """Of conversations at desks elsewhere: for which hand-offs they were opened, what we said there."""
        named = dict.fromkeys(a for p in pairs for a in touching.addresses(*p))
        origins = await tickets.load_origins(connection, [a for a in named if a[0] in self._desks])
        ledgers = await tickets.load_ledger(connection, [each.hand_off for each in origins.values()])
        late = [(home, c) for home, c in pairs if isinstance(c, Opened)]
        said = await tickets.load_said(connection, [t.ref for t in _threads(stage, late)]) if late else {}
        for address, origin in origins.items():
            scene, ours = stage.scenes.get(address), ledgers[origin.hand_off]
            if scene is None:  # its first events are in this very batch
                stage.origins[address] = (origin, ours)
                continue
            scene.origin, scene.said = origin, said.get(scene.thread.ref, [])
            scene.thread.ledger = [*scene.thread.ledger, *ours]

    async def save(self, connection: AsyncConnection, stage: Stage) -> None:
        """Write the stage back, every room its own tables."""
        scenes = stage.scenes.values()
        await customers.save(connection, _people(stage), stage.people)
        await conflicts.save(connection, _people(stage))
        await field_updates.ask(
            connection, UPDATE_CUSTOMER, updates(stage), priority=Priority.FIELDS, now=stage.now
        )
        await threads.save(connection, [s.thread for s in scenes], stage.errands)
        if stage.deeds:
            await inbox.accept(connection, [_event_of(deed, stage.now) for deed in stage.deeds])
        await rules_store.save_turns(connection, [s.history for s in scenes])
        await rules_store.save_decisions(connection, [d for s in scenes for d in s.decisions])


def _resolved(stage: Stage, pairs: Sequence[tuple[str, Change]]) -> list[Thread]:
    """The threads of which a batch tells that they are resolved, or were."""
    addresses = dict.fromkeys(
        (home, change.conversation.id)
        for home, change in pairs
        if isinstance(change, MessagePosted | model.ConversationChanged)
        and change.conversation.status == model.Status.RESOLVED
    )
    return [stage.scenes[address].thread for address in addresses if address in stage.scenes]


def _event_of(deed: Deed, now: datetime) -> inbox.RawEvent:
    return inbox.RawEvent(
        connection=DESK,
        key=deed.key,
        lane=inbox.lane_of(deed.home, deed.told.conversation_id),
        body=msgspec.json.encode(deed.told),
        received_at=now,
    )


def _threads(stage: Stage, pairs: Sequence[tuple[str, Change]]) -> list[Thread]:
    wanted = dict.fromkeys(address for pair in pairs for address in touching.addresses(*pair))
    return [stage.scenes[address].thread for address in wanted if address in stage.scenes]


_TOLD = MessagePosted | model.ConversationChanged | model.MessageFailed | DoubtSettled
"""What is compared with what we sent."""
_INSIDE_CHANGES = AnswerPrepared | DeskActed | Received | Opened | Timer


def _people(stage: Stage) -> Iterable[CustomerState]:
    """All whom the batch may have changed: who isn't held has no news, nor have their kin."""
    held = [each for each in stage.customers.values() if each.held or each.is_new]
    return {kin for each in held for kin in each.everyone}


def _report(events: Sequence[Event], stage: Stage, *, parked: int) -> Worked:
    scenes = stage.scenes.values()
    return Worked(
        lanes=list(dict.fromkeys(event.lane for event in events)),
        events=len(events),
        received=[event.received_at for event in events if event.origin is model.Origin.LIVE],
        verdicts=[verdict for scene in scenes for verdict in scene.verdicts],
        expired=[rule for scene in scenes for rule in scene.expired],
        hand_offs=[d["rule"] for scene in scenes for d in scene.decisions if _hands_off(d)],
        undelivered=[s.thread.conversation.connection for s in scenes for _ in s.thread.failed],
        parked=parked,
    )


def _hands_off(decision: Mapping[str, Any]) -> bool:
    return any(action["type"] == "hand_off" for action in decision["actions"])
