"""Customers: reading those that a batch tells of, locking those that it may change, and writing them back.

Whoever changes a customer holds its row, and the rows of all who count as the same person. Rows are locked in
the order of their refs, after the advisory locks on what isn't stored yet (a record's id, an address), which
are taken in the order of their numbers: so nobody waits in a ring.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BOOLEAN, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam
from sqlmodel import col

from adapters.model import CustomerRecord, IdentityKind
from config.database import Direct
from sync.identity import Key, LinkRules, Mark
from sync.people import People, VendorId, news
from sync.store import deletions
from sync.store.merging import record_merges
from sync.store.upserts import upsert_by_ref
from sync.tables import Customer
from sync.thread import CustomerState, Thread

CUSTOMER = """
to_jsonb(c) || jsonb_build_object(
    'known', (SELECT jsonb_agg(jsonb_build_array(i.connection, i.kind, i.value, i.normal, i.verified,
                  i.deleted_at))
              FROM identity i WHERE i.customer_ref = c.ref),
    'kin', (SELECT jsonb_agg(to_jsonb(k)) FROM customer k WHERE k.main_ref = c.main_ref AND k.ref <> c.ref))
"""
"""A row `c` of `customer` as JSON, for `customer_of`."""

_ADDRESSES = (bindparam("connections", type_=ARRAY(TEXT)), bindparam("ids", type_=ARRAY(TEXT)))
_BY_VENDOR = Direct(
    text(
        f"""
SELECT w.connection, w.id, {CUSTOMER} AS customer
FROM unnest(:connections, :ids) AS w(connection, id)
JOIN identity v ON v.connection = w.connection AND v.value = w.id AND v.kind = 'vendor'
JOIN customer c ON c.ref = v.customer_ref
"""  # noqa: S608 - a constant
    ).bindparams(*_ADDRESSES)
)
_LOCK = Direct(
    text("""
SELECT count(pg_advisory_xact_lock(n)) FROM (SELECT n FROM unnest(:numbers) AS n ORDER BY n OFFSET 0) AS s
""").bindparams(bindparam("numbers", type_=ARRAY(BIGINT)))
)
_HOLDERS = Direct(
    text("""
SELECT a.kind, a.normal, i.customer_ref, c.main_ref
FROM unnest(:kinds, :normals) AS a(kind, normal)
CROSS JOIN LATERAL (
    SELECT DISTINCT customer_ref FROM identity h WHERE kind = a.kind AND normal = a.normal
        AND NOT EXISTS (SELECT 1 FROM identity v
            WHERE v.customer_ref = h.customer_ref AND v.kind = 'vendor' AND v.deleted_at IS NOT NULL)
    ORDER BY customer_ref LIMIT :most
) AS i
JOIN customer c ON c.ref = i.customer_ref
""").bindparams(bindparam("kinds", type_=ARRAY(TEXT)), bindparam("normals", type_=ARRAY(TEXT)))
)
_HOLD = Direct(
    text("""
SELECT c.ref FROM customer c
WHERE c.main_ref = ANY(:mains || ARRAY(
    SELECT own.main_ref FROM unnest(:connections, :ids) AS w(connection, id)
    JOIN identity v ON v.connection = w.connection AND v.value = w.id AND v.kind = 'vendor'
    JOIN customer own ON own.ref = v.customer_ref))
ORDER BY c.ref FOR UPDATE OF c
""").bindparams(*_ADDRESSES, bindparam("mains", type_=ARRAY(BIGINT)))
)
# Apart from the locking: only a statement that begins with the locks held sees what others have just written.
_HELD = Direct(
    text(
        f"""
SELECT {CUSTOMER} || jsonb_build_object('apart', (
    SELECT jsonb_agg(m.kept_record + m.gone_record - c.ref) FROM customer_merge m
    WHERE m.state IN ('undone', 'dismissed')
      AND (m.kept_record = c.ref OR m.gone_record = c.ref))) AS customer
FROM customer c WHERE c.ref = ANY(:refs)
"""  # noqa: S608 - a constant
    ).bindparams(bindparam("refs", type_=ARRAY(BIGINT)))
)


class PeopleMovedError(RuntimeError):
    """Customers were merged or told apart while we waited for them; the transaction has to begin again."""


async def load(
    connection: AsyncConnection,
    *,
    told: Sequence[tuple[str, CustomerRecord]],
    named: Iterable[VendorId],
    merged: Iterable[VendorId],
    threads: Sequence[Thread],
    rules: LinkRules,
) -> tuple[dict[VendorId, CustomerState], People]:
    """The customers of this batch by their vendor ids; the same objects as in `threads`.

    `told` are records to apply, `named` those only referred to, `merged` those that the vendor made one, or
    deleted. All that may change is locked until the transaction ends. Raises PeopleMovedError.
    """
    own = [(home, record.id) for home, record in told]
    wanted = list(dict.fromkeys([*own, *named, *merged]))
    if not wanted:
        return {}, People(rules)
    found = await _read(connection, wanted, threads)
    fresh = news(told, found, rules)
    for address in merged:
        fresh.setdefault(address, set())
    if not fresh:
        return found, People(rules)
    held, shared = await _hold(connection, fresh, found, rules)
    _replace(held, found, threads, wanted)
    return found, People(rules, held.values(), shared)


_PAGE = text(
    f"SELECT {CUSTOMER} AS customer FROM customer c WHERE c.ref > :after ORDER BY c.ref LIMIT :most"  # noqa: S608
)


async def page(connection: AsyncConnection, *, after: int, most: int) -> list[CustomerState]:
    """The next customers in the order of their refs, to look at; without their kin."""
    people: dict[int, CustomerState] = {}
    for stored in await connection.scalars(_PAGE, {"after": after, "most": most}):
        customer_of({**stored, "kin": []}, people)
    return list(people.values())


async def count(connection: AsyncConnection) -> int:
    """How many records of customers there are."""
    return await connection.scalar(text("SELECT count(*) FROM customer")) or 0


async def linkable(
    connection: AsyncConnection, keys: Mapping[int, set[Key]], mains: Mapping[int, int], rules: LinkRules
) -> set[int]:
    """Of these customers, those with an address that somebody else has, too; nothing is locked."""
    holders = await _holders(connection, set().union(*keys.values()), rules)
    return {
        ref
        for ref, own in keys.items()
        if any(main != mains[ref] for key in own for main in holders.get(key, {}).values())
    }


async def hold_to_link(
    connection: AsyncConnection,
    fresh: Mapping[int, set[Key]],
    customers: Iterable[CustomerState],
    rules: LinkRules,
) -> tuple[dict[int, CustomerState], set[Key]]:
    """Hold these customers, whoever else has these addresses of theirs, and their parties, by ref.

    Also says which addresses too many have. Raises PeopleMovedError.
    """
    found = {each.vendor_address: each for each in customers}
    wanted = {address: fresh[each.ref] for address, each in found.items()}
    return await _hold(connection, wanted, found, rules)


async def _read(
    connection: AsyncConnection, wanted: Sequence[VendorId], threads: Iterable[Thread]
) -> dict[VendorId, CustomerState]:
    people = {thread.customer.ref: thread.customer for thread in threads if thread.customer}
    rows = await _BY_VENDOR.rows(connection, _arrays(wanted))
    found = {(row.connection, row.id): customer_of(row.customer, people) for row in rows}
    return {address: customer for address, customer in found.items() if customer is not None}


def _arrays(addresses: Iterable[VendorId]) -> dict[str, list[str]]:
    pairs = list(addresses)
    return {"connections": [pair[0] for pair in pairs], "ids": [pair[1] for pair in pairs]}


def customer_of(stored: Mapping[str, Any] | None, people: dict[int, CustomerState]) -> CustomerState | None:
    """The customer that a row's `CUSTOMER` says; one of `people`, where it is there already."""
    if stored is None or stored.get("ref") is None:
        return None
    known = people.get(stored["ref"])
    if known is None:
        known = msgspec.convert({**stored, "known": {}, "kin": stored["kin"] or []}, CustomerState)
        addresses = stored["known"] or []
        known.known = {(name, kind, value): Mark(*mark) for name, kind, value, *mark, _ in addresses}
        gone = (at for _, kind, *_, at in addresses if kind == IdentityKind.VENDOR and at is not None)
        known.deleted_at = known.was_deleted_at = next(map(datetime.fromisoformat, gone), None)
        people[known.ref] = known
    return known


async def _hold(
    connection: AsyncConnection,
    fresh: Mapping[VendorId, set[Key]],
    found: Mapping[VendorId, CustomerState],
    rules: LinkRules,
) -> tuple[dict[int, CustomerState], set[Key]]:
    """Lock what may change and read it again; also says which addresses too many have."""
    keys = set().union(*fresh.values())
    names = [f"customer/{name}/{id_}" for name, id_ in fresh if (name, id_) not in found]
    names += [f"address/{kind}/{normal}" for kind, normal in keys]
    if names:
        await _LOCK.rows(connection, {"numbers": sorted(map(_number, names))})
    holders = await _holders(connection, keys, rules)
    shared = {key for key, refs in holders.items() if len(refs) > rules.shared_after}
    candidates = {
        ref: main for key, refs in holders.items() if key not in shared for ref, main in refs.items()
    }
    mains = sorted(set(candidates.values()))
    locked = await _HOLD.values(connection, {"mains": mains, **_arrays(fresh)})
    held = await _read_held(connection, locked)
    expected = candidates | {found[a].ref: found[a].main_ref for a in fresh if a in found}
    if any(ref not in held or held[ref].main_ref != main for ref, main in expected.items()):
        raise PeopleMovedError("a customer was merged while we waited for it")
    return held, shared


async def _read_held(connection: AsyncConnection, refs: list[int]) -> dict[int, CustomerState]:
    held: dict[int, CustomerState] = {}
    for stored in await _HELD.values(connection, {"refs": refs}):
        customer_of({**stored, "kin": [], "apart": stored["apart"] or [], "held": True}, held)
    for customer in held.values():
        customer.kin = [k for k in held.values() if k.main_ref == customer.main_ref and k is not customer]
    return held


async def hold(connection: AsyncConnection, ref: int) -> CustomerState | None:
    """One customer, with all who count as the same person, until the transaction ends.

    `None` if there is none. Raises PeopleMovedError.
    """
    main = await connection.scalar(select(col(Customer.main_ref)).where(col(Customer.ref) == ref))
    if main is None:
        return None
    locked = await _HOLD.values(connection, {"mains": [main], "connections": [], "ids": []})
    customer = (await _read_held(connection, locked)).get(ref)
    if customer is None or customer.main_ref != main:
        raise PeopleMovedError("a customer was merged while we waited for it")
    return customer


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)


async def _holders(
    connection: AsyncConnection, keys: Iterable[Key], rules: LinkRules
) -> dict[Key, dict[int, int]]:
    """Who has these addresses: each customer with their main one, at most one more than may share it."""
    pairs = list(keys)
    if not pairs:
        return {}
    values = {
        "kinds": [p[0] for p in pairs],
        "normals": [p[1] for p in pairs],
        "most": rules.shared_after + 1,
    }
    found: dict[Key, dict[int, int]] = {}
    for row in await _HOLDERS.rows(connection, values):
        found.setdefault((row.kind, row.normal), {})[row.customer_ref] = row.main_ref
    return found


def _replace(
    held: Mapping[int, CustomerState],
    found: dict[VendorId, CustomerState],
    threads: Iterable[Thread],
    wanted: Iterable[VendorId],
) -> None:
    """Let everyone who was read before the lock be the one read under it."""
    for thread in threads:
        if thread.customer is not None:
            thread.customer = held.get(thread.customer.ref, thread.customer)
    asked = set(wanted)
    for customer in held.values():
        for name, kind, value in customer.known:
            if kind == IdentityKind.VENDOR and (name, value) in asked:
                found[name, value] = customer


_FIELDS = ("name", "language", "attributes", "vendor_updated_at", "revision", "shared", "golden")
_CUSTOMERS = Direct(upsert_by_ref(Customer, *_FIELDS))
# A new address changes what is known of its customer: their row is written again, for the log's readers.
_ADD_IDENTITIES = Direct(
    text("""
WITH fresh AS (
    INSERT INTO identity (customer_ref, connection, kind, value, normal, verified)
    SELECT * FROM unnest(:refs, :connections, :kinds, :values, :normals, :verified)
    ON CONFLICT (connection, kind, value, customer_ref)
        DO UPDATE SET normal = excluded.normal, verified = excluded.verified
    RETURNING customer_ref
)
UPDATE customer SET xid = pg_current_xact_id()
WHERE ref IN (SELECT customer_ref FROM fresh) AND xid <> pg_current_xact_id()
""").bindparams(
        bindparam("refs", type_=ARRAY(BIGINT)),
        bindparam("connections", type_=ARRAY(TEXT)),
        bindparam("kinds", type_=ARRAY(TEXT)),
        bindparam("values", type_=ARRAY(TEXT)),
        bindparam("normals", type_=ARRAY(TEXT)),
        bindparam("verified", type_=ARRAY(BOOLEAN)),
    )
)


async def save(connection: AsyncConnection, customers: Iterable[CustomerState], people: People) -> None:
    """Write what the batch changed of its customers, and who of them are one."""
    ordered = sorted(customers, key=lambda each: each.ref)
    changed = [each for each in ordered if each.dirty]
    if changed:
        await _CUSTOMERS.many(connection, [_row(customer) for customer in changed])
    await _save_identities(connection, ordered)
    await _save_deletions(connection, [each for each in ordered if each.deleted_at != each.was_deleted_at])
    if people.merges and await record_merges(connection, people.merges):
        raise PeopleMovedError("a customer was linked to one that was being merged")


def _row(customer: CustomerState) -> dict[str, Any]:
    row = {name: getattr(customer, name) for name in ("ref", "main_ref", *_FIELDS, "created_at")}
    own = {"shared": customer.shared, "golden": customer.golden}
    return row | {name: msgspec.to_builtins(value) for name, value in own.items()}


async def _save_identities(connection: AsyncConnection, customers: Iterable[CustomerState]) -> None:
    rows = [
        (customer.ref, *address, mark.normal, mark.verified)
        for customer in customers
        for address, mark in customer.identities.items()
    ]
    if rows:
        names = ("refs", "connections", "kinds", "values", "normals", "verified")
        columns = (list(column) for column in zip(*rows, strict=True))
        await _ADD_IDENTITIES.rows(connection, dict(zip(names, columns, strict=True)))


_DELETIONS = text("""
WITH gone AS (
    UPDATE identity i SET deleted_at = g.at FROM unnest(:refs, :moments) AS g(ref, at)
    WHERE i.customer_ref = g.ref AND i.kind = 'vendor' RETURNING g.ref
)
UPDATE customer SET xid = pg_current_xact_id() WHERE ref IN (SELECT ref FROM gone)
""").bindparams(
    bindparam("refs", type_=ARRAY(BIGINT)), bindparam("moments", type_=ARRAY(TIMESTAMP(timezone=True)))
)


async def _save_deletions(connection: AsyncConnection, customers: Sequence[CustomerState]) -> None:
    """Since when their vendors have these no more, or that they have them again."""
    if customers:
        columns = {
            "refs": [each.ref for each in customers],
            "moments": [each.deleted_at for each in customers],
        }
        await connection.execute(_DELETIONS, columns)
        await deletions.settle_customers(connection, [each.ref for each in customers if each.deleted])


async def load_identities(connection: AsyncConnection, customer: CustomerState) -> list[dict[str, str]]:
    """All addresses of a person, stored and new."""
    rows = await connection.execute(
        text(
            "SELECT connection, kind, value FROM identity WHERE customer_ref = ANY(:refs) ORDER BY ref"
        ).bindparams(bindparam("refs", type_=ARRAY(BIGINT))),
        {"refs": [each.ref for each in customer.everyone]},
    )
    stored = [(row.connection, row.kind, row.value) for row in rows]
    new = [address for each in customer.everyone for address in each.identities]
    return [
        {"connection": name, "kind": kind, "value": value}
        for name, kind, value in dict.fromkeys([*stored, *new])
    ]


async def load_proven(connection: AsyncConnection, customer: CustomerState) -> set[tuple[str, str]]:
    """The addresses of a person, by kind and value, that were proven to be theirs."""
    rows = await connection.execute(
        text("SELECT kind, value FROM identity WHERE customer_ref = ANY(:refs) AND verified").bindparams(
            bindparam("refs", type_=ARRAY(BIGINT))
        ),
        {"refs": [each.ref for each in customer.everyone]},
    )
    new = [(address, mark) for each in customer.everyone for address, mark in each.identities.items()]
    return {(row.kind, row.value) for row in rows} | {
        (kind, value) for (_, kind, value), mark in new if mark.verified
    }
