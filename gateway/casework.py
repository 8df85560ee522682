"""Keeping the fields of linked conversations equal: hearing them, and bringing one up to date."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Outdated, Rejected, Retryable
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
    UpdateConversation,
)
from config.clock import Clock
from config.settings import Settings
from gateway import behind
from gateway.scene import Stage
from sync import cases, fields, writing
from sync.cases import CaseRecord
from sync.delivery import Outcome, Verdict
from sync.fields import ATTRIBUTE, FieldRules, News
from sync.priority import Priority
from sync.store import cases as store
from sync.store import threads
from sync.store.field_updates import UPDATE_CONVERSATION, ask
from sync.store.inbox import Event
from sync.store.outbox import Claimed
from sync.thread import Refs

_NEEDED = {
    "status": Capability.SET_STATUS,
    "tags": Capability.CHANGE_TAGS,
    "subject": Capability.SET_SUBJECT,
}
ROUNDS = 3
"""How often a conversation is read again within one attempt, when others keep changing it meanwhile."""


def rules_of(settings: Settings) -> FieldRules:
    """The configured rules; a field is written where the adapter can, after reading."""
    manifests = {
        name: registry.manifest_of(chosen.adapter, chosen.settings)
        for name, chosen in settings.connections.items()
    }

    def writable(field: str) -> frozenset[str]:
        needed = (Capability.FIND_CONVERSATION, _NEEDED.get(field, Capability.UPDATE_CONVERSATION))
        return frozenset(name for name, manifest in manifests.items() if all(map(manifest.can, needed)))

    return fields.field_rules(settings.fields.conversation, writable)


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
        for update in behind.updates(fields.behind(case, rules), stage.refs, stage.new_key, event_ref)
    ]
    await ask(connection, UPDATE_CONVERSATION, wanted, priority=Priority.FIELDS, now=stage.now)


def _news(change: MessagePosted | ConversationChanged, stage: Stage) -> News:
    by = change.by if isinstance(change, ConversationChanged) else ""
    return News(at=change.occurred_at, now=stage.now, new_ref=stage.refs.next, by=by)


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
        wanted = behind.updates(others, refs, new_key)
        await ask(connection, UPDATE_CONVERSATION, wanted, priority=Priority.FIELDS, now=now)


class CaseWriter:
    """Brings a linked conversation up to date, with what is current at that moment.

    It is read first, so that somebody else's edit is merged and not lost, and again afterwards, so that what
    is told late of before is known to be late. Where the vendor offers it, the write is refused if the
    conversation has changed since it was read.
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
        refused: dict[str, Any] = {}
        for number in range(ROUNDS):
            before = await _read(adapter, claimed)
            wanted = await self._begin(claimed, before, refused)
            if not wanted:
                return Verdict(state="done", outcome=Outcome.NEEDLESS)
            key = f"{claimed.key}-{claimed.attempts}.{number}"
            try:
                after = await _push(adapter, key, before, wanted)
            except Outdated:
                refused = wanted
                continue
            after = after or await _read(adapter, claimed)
            if error := await self._confirm(claimed, wanted, before, after):
                raise error
            return Verdict(state="done", outcome=Outcome.DELIVERED)
        raise Retryable(f"conversation {claimed.body['conversation_id']} keeps being changed meanwhile")

    async def _begin(
        self, claimed: Claimed, found: ConversationRecord, refused: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What to write, noted down as sent: in the case, and in the ledger for the lane to know its echo.

        What was just `refused` wasn't; but after an attempt of unknown outcome we can't be sure of any.
        """
        async with self._engine.begin() as connection:
            if "status" in self._rules.listed:
                await store.hold_command(connection, claimed.ref)
            case = await _hold_one(connection, claimed)
            if case is None:
                return {}
            if not claimed.outcome_unknown:
                writing.withdraw(case, refused)
            self._hear(case, found, await threads.next_refs(connection))
            wanted = writing.begin(case, self._rules)
            await self._save(connection, case, without=case)
            if "status" in wanted or "status" in refused:
                await store.note_status(connection, claimed.ref, wanted.get("status"))
            return wanted

    async def _confirm(
        self,
        claimed: Claimed,
        written: Mapping[str, Any],
        before: ConversationRecord,
        after: ConversationRecord,
    ) -> Rejected | Retryable | None:
        """Note what has been written; an error if the vendor left a field as it was."""
        async with self._engine.begin() as connection:
            case = await _hold_one(connection, claimed)
            if case is None:
                return None
            was, now = (writing.Shown(cases.shown(case, each), self._rules) for each in (before, after))
            left = writing.ignored(case, written, before=was, after=now)
            writing.confirm(
                case,
                {name: value for name, value in written.items() if name not in left},
                now=self._clock(),
                overtaken=cases.is_late(case, after),
                after=now,
            )
            self._hear(case, after, await threads.next_refs(connection))
            await self._save(connection, case, without=case if left else None)
            unsure = _was_touched(before, after) or writing.is_under_way(case, left)
        return behind.left_alone(claimed.connection, left, unsure=unsure) if left else None

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
    return await _hold(connection, claimed.conversation_ref)


async def _read(adapter: Adapter, claimed: Claimed) -> ConversationRecord:
    wanted = str(claimed.body["conversation_id"])
    found = await adapter.find(FindConversation(conversation_id=wanted))
    if not isinstance(found, ConversationRecord):
        raise Rejected(f"there is no conversation {wanted} any more")
    return found


async def _push(
    adapter: Adapter, key: str, before: ConversationRecord, wanted: Mapping[str, Any]
) -> ConversationRecord | None:
    """Make of the conversation as it is the one that is wanted; how it is then, where the vendor shows it.

    Raises the adapter's errors, above all Outdated.
    """
    whole = _whole_change(key, before, wanted)
    if adapter.manifest.can(Capability.CONDITIONAL_CONVERSATION) and before.updated_at is not UNSET:
        return (await adapter.push(whole)).conversation
    for command in _parts(whole, before):
        await adapter.push(command)
    return None


def _whole_change(key: str, before: ConversationRecord, wanted: Mapping[str, Any]) -> UpdateConversation:
    attributes = {
        name.removeprefix(ATTRIBUTE): value for name, value in wanted.items() if name.startswith(ATTRIBUTE)
    }
    return UpdateConversation(
        key=key,
        conversation_id=before.id,
        subject=(wanted["subject"] or "") if "subject" in wanted else UNSET,
        attributes=attributes,
        status=Status(wanted["status"]) if "status" in wanted else UNSET,
        tags=tuple(wanted["tags"] or ()) if "tags" in wanted else UNSET,
        updated_at=before.updated_at,
    )


def _parts(
    whole: UpdateConversation, before: ConversationRecord
) -> Iterable[UpdateConversation | ChangeTags | SetStatus]:
    """The same change as commands that every vendor has; the status last, for some close what is resolved."""
    place = whole.conversation_id
    if whole.attributes or whole.subject is not UNSET:
        fields_alone = {"status": UNSET, "tags": UNSET, "updated_at": UNSET}
        yield msgspec.structs.replace(whole, **fields_alone)
    if whole.tags is not UNSET:
        held, meant = set(() if before.tags is UNSET else before.tags), set(whole.tags)
        add, remove = tuple(sorted(meant - held)), tuple(sorted(held - meant))
        yield ChangeTags(key=f"{whole.key}-tags", conversation_id=place, add=add, remove=remove)
    if whole.status is not UNSET:
        yield SetStatus(key=f"{whole.key}-status", conversation_id=place, status=whole.status)


def _was_touched(before: ConversationRecord, after: ConversationRecord) -> bool:
    """Whether the conversation was changed in between, as far as the vendor tells."""
    return UNSET in {before.updated_at, after.updated_at} or after.updated_at != before.updated_at


async def _hold(connection: AsyncConnection, ref: int) -> CaseRecord | None:
    return (await store.hold(connection, [ref])).get(ref)


LINKED = behind.Kind(command=UPDATE_CONVERSATION, differing=store.differing, hold=_hold)
