"""Writing shared fields: which records are behind, and bringing one up to date."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Outdated, Rejected, Retryable
from adapters.manifest import Capability
from adapters.model import CustomerRecord, FindCustomer, Identity, IdentityKind, Pushed, UpdateCustomer
from config.clock import Clock
from config.settings import Settings
from gateway import behind, casework
from gateway.linking import link_rules
from gateway.scene import Stage
from sync import fields, writing
from sync.copies import SharedRecord
from sync.delivery import Outcome, Verdict
from sync.fields import ATTRIBUTE, FieldRules
from sync.mirror import apply_customer, is_late, shown
from sync.people import People
from sync.priority import Priority
from sync.store import conflicts, customers, field_updates, threads
from sync.store.field_updates import UPDATE_CUSTOMER, FieldUpdate
from sync.store.outbox import Claimed
from sync.thread import CustomerState, Refs

ROUNDS = 3
"""How often a record is read again within one attempt, when others keep changing it meanwhile."""


def rules_of(settings: Settings) -> FieldRules:
    """The configured rules; connections whose adapter can't update customers are never written to."""
    writable = {
        name
        for name, chosen in settings.connections.items()
        if registry.manifest_of(chosen.adapter, chosen.settings).can(Capability.UPDATE_CUSTOMER)
    }
    return fields.field_rules(settings.fields.customer, lambda _: frozenset(writable))


def updates(stage: Stage) -> list[FieldUpdate]:
    """The records that the batch left behind."""
    people = {customer.main_ref: (customer, event_ref) for customer, event_ref in stage.told.values()}
    return [
        update
        for customer, event_ref in people.values()
        for update in behind.updates(
            fields.behind(customer, stage.field_rules), stage.refs, stage.new_key, event_ref
        )
    ]


class FieldWriter:
    """Brings a record at a connection up to date, with what is current at that moment.

    Where the vendor offers it, the write is conditional on the revision that we know; else, and after
    an unknown outcome, the record is read first. Either way somebody else's edit is merged, not lost.
    """

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        settings: Settings,
        clock: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._rules = rules_of(settings)
        self._link_rules = link_rules(settings.identity)
        self._clock = clock
        self._new_key = new_key

    async def write(self, claimed: Claimed, adapter: Adapter) -> Verdict:
        """Do what a command to update a customer asks for. Raises the adapter's errors."""
        assert claimed.customer_ref is not None
        ref, record_id = claimed.customer_ref, str(claimed.body["customer_id"])
        conditional = adapter.manifest.can(Capability.CONDITIONAL_UPDATE)
        look = claimed.outcome_unknown or not conditional
        refused: dict[str, Any] = {}
        for _ in range(ROUNDS):
            record = await _read(adapter, record_id) if look else None
            wanted, revision = await self._begin(ref, record, refused)
            if not wanted:
                return Verdict(state="done", outcome=Outcome.NEEDLESS)
            if conditional and revision is None and record is None:
                look = True
                continue
            known = UNSET if revision is None or not conditional else revision
            try:
                pushed = await adapter.push(_command(claimed.key, record_id, wanted, known))
            except Outdated:
                look, refused = True, {} if claimed.outcome_unknown else wanted
                continue
            if error := await self._confirm(claimed, wanted, pushed):
                raise error
            return Verdict(state="done", outcome=Outcome.DELIVERED)
        raise Retryable(f"customer {record_id} keeps being changed meanwhile")

    async def _begin(
        self, ref: int, record: CustomerRecord | None, refused: Mapping[str, Any]
    ) -> tuple[dict[str, Any], int | None]:
        """What to write, noted down as sent, and the revision that it goes by; the `refused` wasn't."""
        async with self._engine.begin() as connection:
            customer = await customers.hold(connection, ref)
            if customer is None:
                return {}, None
            writing.withdraw(customer, refused)
            self._hear(customer, record, await threads.next_refs(connection))
            wanted = writing.begin(customer, self._rules)
            await self._save(connection, customer, without=customer)
            return wanted, customer.revision

    async def _confirm(
        self, claimed: Claimed, written: Mapping[str, Any], pushed: Pushed
    ) -> Rejected | Retryable | None:
        """Note what has been written; an error if the vendor left a field as it was."""
        assert claimed.customer_ref is not None
        async with self._engine.begin() as connection:
            customer = await customers.hold(connection, claimed.customer_ref)
            if customer is None:
                return None
            record = pushed.customer
            left: list[str] = []
            after = None if record is None else writing.Shown(shown(customer, record), self._rules)
            if after is not None:
                left = writing.ignored(
                    customer, written, before=writing.Shown(customer, self._rules), after=after
                )
            writing.confirm(
                customer,
                {name: value for name, value in written.items() if name not in left},
                now=self._clock(),
                overtaken=record is not None and is_late(customer, record),
                after=after,
            )
            self._hear(customer, record, await threads.next_refs(connection))
            await self._save(connection, customer, without=customer if left else None)
            unsure = writing.is_under_way(customer, left)
        return behind.left_alone(claimed.connection, left, unsure=unsure) if left else None

    def _hear(self, customer: CustomerState, record: CustomerRecord | None, refs: Refs) -> None:
        """Merge a record that we have just read. Its addresses are left to the lanes, which link by them.

        Without one, merge what we know: a field may have been listed only after we heard of it.
        """
        if record is not None:
            bare = msgspec.structs.replace(record, identities=())
            connection, _ = customer.vendor_address
            apply_customer(customer, bare, connection=connection, rules=self._link_rules)
        now = self._clock()
        fields.hear(customer, self._rules, fields.News(at=now, now=now, new_ref=refs.next, asked=True))

    async def _save(
        self, connection: AsyncConnection, customer: CustomerState, *, without: CustomerState | None
    ) -> None:
        """Write what has changed, and have whoever is behind now written to in turn, `without` this one."""
        await save_shared(
            connection,
            customer,
            self._settings,
            self._rules,
            new_key=self._new_key,
            now=self._clock(),
            without=without,
        )


async def save_shared(
    connection: AsyncConnection,
    customer: CustomerState,
    settings: Settings,
    rules: FieldRules,
    *,
    new_key: Callable[[], str],
    now: datetime,
    without: CustomerState | None = None,
) -> None:
    """Store a held person, and have the records that are behind written to, `without` one of them."""
    everyone = customer.everyone
    await customers.save(connection, everyone, People(link_rules(settings.identity)))
    await conflicts.save(connection, everyone)
    others = [each for each in fields.behind(customer, rules) if each is not without]
    if others:
        await ask_updates(connection, others, await threads.next_refs(connection), new_key=new_key, now=now)


async def ask_updates(
    connection: AsyncConnection,
    records: Iterable[SharedRecord],
    refs: Refs,
    *,
    new_key: Callable[[], str],
    now: datetime,
) -> None:
    """Have these held records written to, unless a command that will do so waits already."""
    wanted = behind.updates(records, refs, new_key)
    await field_updates.ask(connection, UPDATE_CUSTOMER, wanted, priority=Priority.FIELDS, now=now)


async def _read(adapter: Adapter, record_id: str) -> CustomerRecord:
    found = await adapter.find(FindCustomer(identity=Identity(IdentityKind.VENDOR, record_id)))
    if not isinstance(found, CustomerRecord):
        raise Rejected(f"there is no customer {record_id} any more")
    return found


def _command(
    key: str, record_id: str, wanted: Mapping[str, Any], revision: int | UnsetType
) -> UpdateCustomer:
    attributes = {
        name.removeprefix(ATTRIBUTE): value for name, value in wanted.items() if name.startswith(ATTRIBUTE)
    }
    name = (wanted["name"] or "") if "name" in wanted else UNSET
    return UpdateCustomer(key=key, customer_id=record_id, name=name, attributes=attributes, revision=revision)


PEOPLE = behind.Kind(command=UPDATE_CUSTOMER, differing=field_updates.differing, hold=customers.hold)


async def catch_up(
    engine: AsyncEngine, settings: Settings, *, new_key: Callable[[], str], clock: Clock
) -> int:
    """Have every record that is behind written to, as after a reconciliation; returns how many are.

    What history tells is taken in without a write: this is where it gets its own.
    """
    kinds = ((casework.LINKED, casework.rules_of(settings)), (PEOPLE, rules_of(settings)))
    return sum(
        [await behind.catch_up(engine, kind, rules, new_key=new_key, clock=clock) for kind, rules in kinds]
    )
