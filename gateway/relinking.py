"""Comparing stored addresses anew, after the settings on identity have changed."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from config.clock import Clock
from config.settings import Settings
from gateway.fieldwork import ask_updates, rules_of
from gateway.linking import link_rules
from sync import fields
from sync.fields import FieldRules
from sync.identity import Key, LinkRules, State
from sync.people import Cause, Merge, People, keys_of, reread
from sync.store import conflicts, customers, threads
from sync.store.customers import PeopleMovedError
from sync.thread import CustomerState

AT_A_TIME = 100
TRIES = 5


class Relinked(Struct, kw_only=True):
    """How far it is and what it has found: pairs of records that were linked, by rule, or suggested."""

    looked_at: int = 0
    total: int = 0
    linked: Counter[str] = field(default_factory=Counter)
    suggested: set[tuple[int, int]] = field(default_factory=set)
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Of a rehearsal, which links nobody, and so comes to each pair from both sides."""

    def note(self, merges: Iterable[Merge], *, rehearsal: bool) -> None:
        """Count what a batch has found."""
        for merge in merges:
            pair = (min(merge.kept_record, merge.gone_record), max(merge.kept_record, merge.gone_record))
            if merge.state is State.SUGGESTED:
                self.suggested.add(pair)
            elif pair not in self.seen:
                self.linked[merge.rule] += 1
                if rehearsal:
                    self.seen.add(pair)


class Relinking:
    """Walks over all customers in the order of their refs, a batch in a transaction of its own.

    It can be stopped at any moment and run again: who is linked is passed over.
    """

    def __init__(
        self, engine: AsyncEngine, settings: Settings, *, clock: Clock, new_key: Callable[[], str]
    ) -> None:
        self._engine = engine
        self._rules: LinkRules = link_rules(settings.identity)
        self._field_rules: FieldRules = rules_of(settings)
        self._clock = clock
        self._new_key = new_key

    async def run(self, progress: Callable[[Relinked], None], *, rehearsal: bool = False) -> Relinked:
        """Link whom the rules link now; a rehearsal only says what it would do. Undoes no merge."""
        done = Relinked()
        after = 0
        async with self._engine.connect() as connection:
            done.total = await customers.count(connection)
        progress(done)
        while True:
            async with self._engine.connect() as connection:
                looked_at = await customers.page(connection, after=after, most=AT_A_TIME)
                wanted = await self._wanted(connection, looked_at)
            if not looked_at:
                return done
            if wanted:
                done.note(await self._link(wanted, rehearsal=rehearsal), rehearsal=rehearsal)
            after = looked_at[-1].ref
            done.looked_at += len(looked_at)
            progress(done)

    async def _wanted(
        self, connection: AsyncConnection, looked_at: Sequence[CustomerState]
    ) -> list[CustomerState]:
        """Those who may have to be linked, or whose addresses read otherwise now."""
        for each in looked_at:
            each.identities = reread(each, self._rules)
        keys = self._keys(looked_at)
        mains = {each.ref: each.main_ref for each in looked_at}
        shared = await customers.linkable(connection, keys, mains, self._rules) if keys else set()
        return [each for each in looked_at if each.identities or each.ref in shared]

    def _keys(self, of: Iterable[CustomerState]) -> dict[int, set[Key]]:
        return {each.ref: keys_of(each, self._rules) for each in of}

    async def _link(self, wanted: Sequence[CustomerState], *, rehearsal: bool) -> list[Merge]:
        for _ in range(TRIES - 1):
            try:
                return await self._try(wanted, rehearsal=rehearsal)
            except PeopleMovedError:
                continue  # somebody was told of while we waited for them
        return await self._try(wanted, rehearsal=rehearsal)

    async def _try(self, wanted: Sequence[CustomerState], *, rehearsal: bool) -> list[Merge]:
        async with self._engine.begin() as connection:
            held, shared = await customers.hold_to_link(connection, self._keys(wanted), wanted, self._rules)
            merges = await self._decide(connection, held, shared, [each.ref for each in wanted])
            if rehearsal:
                await connection.rollback()
        return merges

    async def _decide(
        self,
        connection: AsyncConnection,
        held: Mapping[int, CustomerState],
        shared: set[Key],
        wanted: Iterable[int],
    ) -> list[Merge]:
        now = self._clock()
        for ref in wanted:
            held[ref].identities = reread(held[ref], self._rules)
        people = People(self._rules, held.values(), shared)
        for ref in wanted:
            people.link(held[ref], Cause(at=now, event_ref=None))
        moved = [held[ref] for merge in people.merges for ref in merge.moved]
        await self._share(connection, moved, now)
        await customers.save(connection, held.values(), people)
        await conflicts.save(connection, held.values())
        return people.merges

    async def _share(
        self, connection: AsyncConnection, moved: Iterable[CustomerState], now: datetime
    ) -> None:
        """Merge the shared fields of those who have come together, and have written who is behind."""
        people = {each.main_ref: each for each in moved}
        if not people or not self._field_rules.listed:
            return
        refs = await threads.next_refs(connection)
        for each in people.values():
            fields.hear(each, self._field_rules, fields.News(at=now, now=now, new_ref=refs.next))
        behind = [one for each in people.values() for one in fields.behind(each, self._field_rules)]
        await ask_updates(connection, behind, refs, new_key=self._new_key, now=now)
