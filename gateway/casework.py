"""Keeping the fields of linked conversations equal: hearing them, and bringing one up to date."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Rejected, Retryable
from adapters.manifest import Capability
from adapters.model import (
    ChangeTags,
    ConversationChanged,
    ConversationRecord,
    FindConversation,
    MessagePosted,
    Origin,
    SetStatus,
    Status,
)
from config.clock import Clock
from config.settings import Settings
from gateway.scene import Stage
from sync import cases, fields
from sync.cases import CaseRecord
from sync.delivery import Outcome, Verdict
from sync.fields import FieldRules, News
from sync.priority import Priority
from sync.store import cases as store
from sync.store import threads
from sync.store.customers import PeopleMovedError
from sync.store.field_updates import UPDATE_CONVERSATION, FieldUpdate, ask
from sync.store.inbox import Event
from sync.store.outbox import Claimed
from sync.thread import Refs

_NEEDED = {"status": Capability.SET_STATUS, "tags": Capability.CHANGE_TAGS}


def rules_of(settings: Settings) -> FieldRules:
    """The configured rules; connections that can't do what they ask for are only listened to."""
    needed = {_NEEDED[name] for name in settings.fields.conversation} | {Capability.FIND_CONVERSATION}
    manifests = {name: registry.get(chosen.adapter).manifest for name, chosen in settings.connections.items()}
    writable = {name for name, manifest in manifests.items() if all(map(manifest.can, needed))}
    return fields.conversation_rules(settings.fields, writable=frozenset(writable))


async def share(
    connection: AsyncConnection,
    stage: Stage,
    told: Iterable[tuple[Event, Sequence[Any]]],
    rules: FieldRules,
) -> None:
    """Merge what a batch was told of linked conversations. Asks nothing if no field of theirs is shared."""
    if not rules.listed:
        return
    news = [
        (scene.thread.ref, change, event)
        for event, changes in told
        for change in changes
        if isinstance(change, MessagePosted | ConversationChanged)
        and cases.says_anything(change.conversation)
        if (scene := stage.scenes.get((event.connection, change.conversation.id))) is not None
    ]
    held = await store.hold(connection, [ref for ref, _, _ in news]) if news else {}
    if not held:
        return
    live: dict[int, tuple[CaseRecord, int]] = {}
    for ref, change, event in news:
        if ref in held and cases.apply(held[ref], change.conversation):
            fields.hear(held[ref], rules, _news(change, stage))
            if event.origin is Origin.LIVE:
                live[held[ref].main_ref] = (held[ref], event.ref)
    await store.save(connection, held.values())
    wanted = [
        update
        for case, event_ref in live.values()
        for update in _updates(fields.behind(case, rules), stage.refs, stage.new_key, event_ref)
    ]
    await ask(connection, UPDATE_CONVERSATION, wanted, priority=Priority.FIELDS, now=stage.now)


def _news(change: MessagePosted | ConversationChanged, stage: Stage) -> News:
    by = change.by if isinstance(change, ConversationChanged) else ""
    return News(at=change.occurred_at, now=stage.now, new_ref=stage.refs.next, by=by)


def _updates(
    behind: Iterable[Any], refs: Refs, new_key: Callable[[], str], event_ref: int | None
) -> list[FieldUpdate]:
    return [
        FieldUpdate(
            ref=refs.next(),
            subject_ref=case.ref,
            connection=case.connection,
            id=case.id,
            key=new_key(),
            event_ref=event_ref,
        )
        for case in behind
    ]


async def save_shared(
    connection: AsyncConnection,
    case: CaseRecord,
    rules: FieldRules,
    *,
    new_key: Callable[[], str],
    now: datetime,
    without: CaseRecord | None = None,
) -> None:
    """Store a held case, and have the conversations that are behind written to, `without` one of them."""
    await store.save(connection, case.everyone)
    others = [each for each in fields.behind(case, rules) if each is not without]
    if others:
        refs = await threads.next_refs(connection)
        wanted = _updates(others, refs, new_key, None)
        await ask(connection, UPDATE_CONVERSATION, wanted, priority=Priority.FIELDS, now=now)


class CaseWriter:
    """Brings a linked conversation up to date, with what is current at that moment.

    No helpdesk writes a conversation's fields conditionally: it is read first, so that somebody else's edit
    is merged and not lost, and again afterwards, so that what is told late of before is known to be late.
    """

    def __init__(
        self, *, engine: AsyncEngine, settings: Settings, clock: Clock, new_key: Callable[[], str]
    ) -> None:
        self._engine = engine
        self._rules = rules_of(settings)
        self._clock = clock
        self._new_key = new_key

    async def write(self, claimed: Claimed, adapter: Adapter) -> Verdict:
        """Do what a command to update a conversation asks for. Raises the adapter's errors."""
        try:
            return await self._write(claimed, adapter)
        except PeopleMovedError as error:
            raise Retryable(str(error)) from error

    async def _write(self, claimed: Claimed, adapter: Adapter) -> Verdict:
        before = await _read(adapter, claimed)
        wanted = await self._begin(claimed, before)
        if not wanted:
            return Verdict(state="done", outcome=Outcome.NEEDLESS)
        for command in _commands(claimed, before, wanted):
            await adapter.push(command)
        after = await _read(adapter, claimed)
        if left := await self._confirm(claimed, wanted, before, after):
            what = f"{claimed.connection} took the write but left {', '.join(left)} as it was"
            if UNSET not in {before.updated_at, after.updated_at} and after.updated_at == before.updated_at:
                raise Rejected(what)
            raise Retryable(f"{what}, or somebody has put it back at once")
        return Verdict(state="done", outcome=Outcome.DELIVERED)

    async def _begin(self, claimed: Claimed, found: ConversationRecord) -> dict[str, Any]:
        """What to write, noted down as sent: in the case, and in the ledger for the lane to know its echo."""
        async with self._engine.begin() as connection:
            case = await _hold_one(connection, claimed)
            if case is None:
                return {}
            self._hear(case, found, await threads.next_refs(connection))
            wanted = fields.begin(case, self._rules)
            await self._save(connection, case, without=case)
            if "status" in wanted:
                await store.note_status(connection, claimed.ref, wanted["status"])
            return wanted

    async def _confirm(
        self,
        claimed: Claimed,
        written: Mapping[str, Any],
        before: ConversationRecord,
        after: ConversationRecord,
    ) -> list[str]:
        """Note what has been written; returns the fields that the vendor left as they were."""
        left = [name for name, value in written.items() if _left(name, value, before, after)]
        async with self._engine.begin() as connection:
            case = await _hold_one(connection, claimed)
            if case is None:
                return []
            done = {name: value for name, value in written.items() if name not in left}
            fields.confirm(case, done, revision=None, now=self._clock())
            self._hear(case, after, await threads.next_refs(connection))
            await self._save(connection, case, without=case if left else None)
        return left

    def _hear(self, case: CaseRecord, record: ConversationRecord, refs: Refs) -> None:
        cases.apply(case, record)
        now = self._clock()
        fields.hear(case, self._rules, News(at=now, now=now, new_ref=refs.next, asked=True))

    async def _save(
        self, connection: AsyncConnection, case: CaseRecord, *, without: CaseRecord | None
    ) -> None:
        await save_shared(
            connection, case, self._rules, new_key=self._new_key, now=self._clock(), without=without
        )


async def _hold_one(connection: AsyncConnection, claimed: Claimed) -> CaseRecord | None:
    """The case of the command's conversation, unless it was unlinked meanwhile."""
    assert claimed.conversation_ref is not None
    return (await store.hold(connection, [claimed.conversation_ref])).get(claimed.conversation_ref)


async def _read(adapter: Adapter, claimed: Claimed) -> ConversationRecord:
    wanted = str(claimed.body["conversation_id"])
    found = await adapter.find(FindConversation(conversation_id=wanted))
    if not isinstance(found, ConversationRecord):
        raise Rejected(f"there is no conversation {wanted} any more")
    return found


def _tags(record: ConversationRecord) -> list[str]:
    return [] if record.tags is UNSET else sorted(set(record.tags))


def _left(name: str, value: Any, before: ConversationRecord, after: ConversationRecord) -> bool:
    """Whether the vendor, read again, still holds what it held."""
    if name == "tags":
        return _tags(after) == _tags(before) != sorted(value or [])
    return bool(after.status == before.status != value)


def _commands(
    claimed: Claimed, before: ConversationRecord, wanted: Mapping[str, Any]
) -> Iterable[SetStatus | ChangeTags]:
    """What makes of the conversation as it is the one that is wanted."""
    key = f"{claimed.key}-{claimed.attempts}"
    if "status" in wanted:
        yield SetStatus(key=f"{key}-status", conversation_id=before.id, status=Status(wanted["status"]))
    if "tags" in wanted:
        held, meant = set(_tags(before)), set(wanted["tags"] or [])
        yield ChangeTags(
            key=f"{key}-tags",
            conversation_id=before.id,
            add=tuple(sorted(meant - held)),
            remove=tuple(sorted(held - meant)),
        )


async def catch_up(
    engine: AsyncEngine, settings: Settings, *, new_key: Callable[[], str], clock: Clock
) -> int:
    """Have every linked conversation that is behind written to, as after a reconciliation; how many are."""
    rules = rules_of(settings)
    after = written = 0
    while rules.listed:
        async with engine.connect() as connection:
            refs = await store.differing(connection, after=after)
        if not refs:
            break
        after = refs[-1]
        for ref in refs:
            async with engine.begin() as connection:
                written += await _catch_up_one(connection, ref, rules, new_key, clock())
    return written


async def _catch_up_one(
    connection: AsyncConnection, ref: int, rules: FieldRules, new_key: Callable[[], str], now: datetime
) -> bool:
    try:
        case = (await store.hold(connection, [ref])).get(ref)
    except PeopleMovedError:
        return False  # whoever links them tells their fields
    if case is None or not fields.to_write(case, rules):
        return False
    refs = await threads.next_refs(connection)
    wanted = _updates([case], refs, new_key, None)
    await ask(connection, UPDATE_CONVERSATION, wanted, priority=Priority.FIELDS, now=now)
    return True
