"""Storing fetched pages: what we lack enters the inbox in the transaction that moves the cursor."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import UNSET, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import (
    ConversationChanged,
    ConversationDeleted,
    CustomerChanged,
    MessagePosted,
    Origin,
    Page,
    PullKind,
)
from config.clock import Clock
from sync import compare
from sync.pull import Pulled, PulledEvent, events, lane_name
from sync.store import inbox, pulls, reconciling
from sync.store.inbox import Form, RawEvent, lane_of
from sync.store.pulls import Cursor, Run
from sync.store.reconciling import Difference

ROUND = 600
"""Seconds in which a poll accepts the same change only once, should no worker work it."""


class Fetched(Struct, frozen=True):
    """A page of one conversation's messages; `None` when there is no such conversation any more."""

    scope: Cursor
    page: Page | None

    @property
    def over(self) -> bool:
        """Whether nothing follows."""
        return self.page is None or self.page.last

    @property
    def posted(self) -> tuple[MessagePosted, ...]:
        """Its messages."""
        changes = self.page.changes if self.page else ()
        return tuple(change for change in changes if isinstance(change, MessagePosted))


class Storing:
    """Stores the pages of one run; the only place where a walk writes."""

    def __init__(
        self,
        database: AsyncConnection,
        run: Run,
        *,
        name: str,
        live_from: datetime | None,
        clock: Clock,
    ) -> None:
        self.database = database
        self.run = run
        self._name = name
        self._live_from = live_from
        self._clock = clock
        self._space = f"{run.purpose}/{run.ref}"
        if run.purpose == "poll":
            self._space += f"/{int(clock().timestamp()) // ROUND}"

    async def open_scopes(self, most: int) -> list[Cursor]:
        """Conversations whose messages are still to be read."""
        async with self.database.begin():
            return await pulls.load_open_scopes(self.database, self.run.ref, most=most)

    async def store(self, kind: PullKind, page: Page, place: Cursor) -> int:
        """Store a page of customers or conversations, and how far it brings us; how much history it adds."""
        counts = self.run.of(kind)
        wanted = [change for change in page.changes if self._reaches(change)]
        async with self.database.begin():
            differs = await differing(self.database, self._name, wanted)
            told = self._events([change for change, _ in differs])
            added = await self._accept(kind, told)
            found = [_difference(kind, change, why, told) for change, why in differs]
            counts.read += len(wanted)
            counts.pages += 1
            counts.total = page.total if page.total is not None else counts.total
            counts.complete = counts.complete or place.done
            await self._note(page.changes, found, kind)
            await pulls.put_cursors(self.database, self.run.ref, [place], now=self._clock())
            versions = {c.conversation.id: _version(c) for c in wanted if isinstance(c, ConversationChanged)}
            await pulls.put_scopes(self.database, self.run.ref, versions, now=self._clock())
            await pulls.save_run(self.database, self.run)
        return added

    def _reaches(self, change: object) -> bool:
        """Whether the run wants this; conversations that have been quiet since `since` it doesn't."""
        since = self.run.since
        return since is None or not isinstance(change, ConversationChanged) or change.occurred_at >= since

    async def store_messages(self, fetched: Sequence[Fetched]) -> int:
        """Store pages of several conversations' messages; how much history they add."""
        kind, run = PullKind.MESSAGES, self.run
        counts = run.of(kind)
        posted = [change for each in fetched for change in each.posted]
        async with self.database.begin():
            held = await reconciling.held_messages(
                self.database, self._name, [(c.conversation.id, c.message.id) for c in posted]
            )
            differs = [
                (change, why)
                for change in posted
                if (why := compare.message_differs(change.message, held.get(change.conversation.id, {})))
            ]
            told = self._events([change for change, _ in differs])
            added = await self._accept(kind, told)
            counts.read += len(posted)
            counts.pages += sum(each.page is not None for each in fetched)
            moved = [_moved(each, held.get(each.scope.scope, {}), run.started_at) for each in fetched]
            found = _missing(differs, told)
            if run.purpose == "reconcile":
                found += await self._extra([cursor for cursor in moved if cursor.done])
            await self._note((), found, kind)
            await self._put(moved)
            await pulls.save_run(self.database, run)
        return added

    async def _put(self, moved: Sequence[Cursor]) -> None:
        """Polling goes on where it was with each conversation; the others are through with one for good."""
        keep = [each for each in moved if self.run.purpose == "poll" or not each.done]
        await pulls.put_cursors(self.database, self.run.ref, keep, now=self._clock())
        kept = {each.scope for each in keep}
        over = [each.scope for each in moved if each.scope not in kept]
        await pulls.drop_scopes(self.database, self.run.ref, over)

    async def _extra(self, over: Sequence[Cursor]) -> list[Difference]:
        met = {each.scope: each.met for each in over}
        extra = await reconciling.count_extra(self.database, self._name, met, before=self.run.started_at)
        return [
            Difference(kind=PullKind.MESSAGES, id=scope, why=(f"{number} only here",))
            for scope, number in extra.items()
        ]

    def _events(self, changes: Iterable[Pulled]) -> list[PulledEvent]:
        return events(changes, space=self._space, live_from=self._live_from)

    async def _accept(self, kind: PullKind, told: Sequence[PulledEvent]) -> int:
        if not told:
            return 0
        now = self._clock()
        fresh = await inbox.accept(
            self.database,
            [
                RawEvent(
                    connection=self._name,
                    key=each.key,
                    lane=lane_of(self._name, each.lane),
                    body=each.body(),
                    received_at=now,
                    origin=each.origin,
                    form=Form.CANONICAL,
                )
                for each in told
            ],
        )
        self.run.of(kind).accepted += sum(fresh)
        return sum(new and each.origin is not Origin.LIVE for new, each in zip(fresh, told, strict=True))

    async def _note(self, met: Sequence[object], found: Sequence[Difference], kind: PullKind) -> None:
        """A reconciliation remembers what it met and what differed."""
        if self.run.purpose != "reconcile":
            self.run.of(kind).differed += len(found)
            return
        fresh = await reconciling.add_differences(self.database, self.run.ref, found)
        for name, number in fresh.items():
            self.run.of(PullKind(name)).differed += number
        for seen, ids in _met(met).items():
            await reconciling.see(self.database, self.run.ref, seen, ids, name=self._name)


async def differing(
    database: AsyncConnection, name: str, changes: Sequence[object]
) -> list[tuple[Pulled, tuple[str, ...]]]:
    """Those of these changes that tell something else than what we hold, and in what."""
    customers = [change for change in changes if isinstance(change, CustomerChanged)]
    conversations = [change for change in changes if isinstance(change, ConversationChanged)]
    posted = [change for change in changes if isinstance(change, MessagePosted)]
    deleted = [change for change in changes if isinstance(change, ConversationDeleted)]
    people = await reconciling.held_customers(database, name, [c.customer.id for c in customers])
    ids = [*(c.conversation.id for c in conversations), *(c.conversation_id for c in deleted)]
    talks = await reconciling.held_conversations(database, name, ids)
    said = await reconciling.held_messages(
        database, name, [(c.conversation.id, c.message.id) for c in posted]
    )
    found: list[tuple[Pulled, tuple[str, ...]]] = [
        *((c, compare.customer_differs(c.customer, people.get(c.customer.id))) for c in customers),
        *(
            (c, compare.conversation_differs(c.conversation, talks.get(c.conversation.id)))
            for c in conversations
        ),
        *((c, compare.deletion_differs(talks.get(c.conversation_id))) for c in deleted),
        *((c, compare.message_differs(c.message, said.get(c.conversation.id, {}))) for c in posted),
    ]
    return [(change, why) for change, why in found if why]


def _met(changes: Iterable[object]) -> dict[PullKind, list[str]]:
    """The records that a page shows to exist: a conversation shows its customer, too."""
    met: dict[PullKind, list[str]] = {PullKind.CUSTOMERS: [], PullKind.CONVERSATIONS: []}
    for change in changes:
        match change:
            case CustomerChanged():
                met[PullKind.CUSTOMERS].append(change.customer.id)
            case ConversationChanged():
                met[PullKind.CONVERSATIONS].append(change.conversation.id)
                if change.conversation.customer_id is not UNSET:
                    met[PullKind.CUSTOMERS].append(change.conversation.customer_id)
    return met


def _difference(
    kind: PullKind, change: Pulled, why: tuple[str, ...], told: Sequence[PulledEvent]
) -> Difference:
    which = lane_name(change).removeprefix("customer:")
    return Difference(kind=kind, id=which, why=why, event_keys=_keys(which, told))


def _missing(
    differs: Sequence[tuple[MessagePosted, tuple[str, ...]]], told: Sequence[PulledEvent]
) -> list[Difference]:
    """What differs in the messages of each conversation."""
    whys: dict[str, set[str]] = {}
    for change, why in differs:
        whys.setdefault(change.conversation.id, set()).update(why)
    return [
        Difference(kind=PullKind.MESSAGES, id=scope, why=tuple(sorted(why)), event_keys=_keys(scope, told))
        for scope, why in whys.items()
    ]


def _keys(which: str, told: Sequence[PulledEvent]) -> tuple[str, ...]:
    return tuple(each.key for each in told if each.lane in {which, f"customer:{which}"})


def _moved(fetched: Fetched, held: dict[str, compare.HeldMessage], before: datetime) -> Cursor:
    scope, page = fetched.scope, fetched.page
    met = scope.met + sum(
        change.message.id in held and held[change.message.id].seen_at < before for change in fetched.posted
    )
    return Cursor(
        kind=scope.kind,
        scope=scope.scope,
        cursor=page.cursor if page else scope.cursor,
        behind=scope.cursor,
        done=fetched.over,
        version=scope.version,
        met=met,
    )


def _version(change: ConversationChanged) -> str:
    """What changes whenever the conversation does, as far as its vendor lets us know."""
    stamp = change.conversation.updated_at
    return (change.occurred_at if stamp is UNSET else stamp).isoformat()
