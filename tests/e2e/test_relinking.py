"""Stored addresses are compared anew when the settings on identity change; deleted records link nobody."""

import asyncio
from typing import Any

import pytest
from support.bridge import eventually
from support.connected import ConnectedBridge

from adapters.model import Person, PullKind
from config.clock import utc_now
from gateway.keys import new_key
from gateway.pulling import Puller
from gateway.reconciling import reconcile
from gateway.relinking import Relinked, Relinking
from sync.store import merging
from sync.store.merging import Act

EMAIL = {"email": "ann@example.com"}
PROVEN = {**EMAIL, "verified": ["email"]}
TOGETHER = {frozenset({"cus_1", "crm_1"})}
APART = {frozenset({"cus_1"}), frozenset({"crm_1"})}


async def relink(connected: ConnectedBridge, *, rehearsal: bool = False, **identity: Any) -> Relinked:
    """What the command does, under these settings on identity."""
    chosen = connected.settings.identity.model_copy(update=identity)
    settings = connected.settings.model_copy(update={"identity": chosen})
    walk = Relinking(connected.house.engine, settings, clock=utc_now, new_key=new_key)
    told: list[int] = []
    done = await walk.run(lambda now: told.append(now.looked_at), rehearsal=rehearsal)
    assert told == sorted(told)
    assert told[-1] == done.looked_at == done.total
    return done


async def two(connected: ConnectedBridge, shop: dict[str, Any], crm: dict[str, Any]) -> str:
    """A customer at each connection, not linked; the shop's conversation."""
    said = connected.helpdesk.customer_says("cus_1", "Hello", **shop)
    connected.crm.customer_says("crm_1", "Hello", **crm)
    await connected.settled()
    assert await connected.parties() >= APART
    return said.conversation_id


async def test_whom_a_newly_trusted_connection_names_is_linked(connected: ConnectedBridge) -> None:
    """Recorded with rule and addresses, once; a rehearsal links nobody; replies go where they went."""
    where = await two(connected, PROVEN, EMAIL)
    assert (await relink(connected)).linked == {}
    trusting = {"trust": frozenset({"crm"})}
    rehearsed = await relink(connected, rehearsal=True, **trusting)
    assert (rehearsed.linked, rehearsed.suggested) == ({"email": 1}, set())
    assert await connected.parties() == APART
    assert (await relink(connected, **trusting)).linked == {"email": 1}
    assert await connected.parties() == TOGETHER
    (merge,) = await connected.rows("SELECT rule, state, evidence, event_ref FROM customer_merge")
    assert tuple(merge) == ("email", "merged", [{"kind": "email", "value": "ann@example.com"}], None)
    assert (await relink(connected, **trusting)).linked == {}, "who is linked is passed over"
    connected.helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    await connected.settled()
    assert len(connected.replies(where)) == 2
    assert [each.author for each in connected.crm.messages].count("bot") == 1


async def test_what_a_person_has_undone_stays_undone(connected: ConnectedBridge) -> None:
    """As with all merges."""
    await two(connected, PROVEN, EMAIL)
    trusting = {"trust": frozenset({"crm"})}
    await relink(connected, **trusting)
    (merge,) = await connected.rows("SELECT ref FROM customer_merge")
    act = Act(person=Person("mei", "Mei"), at=utc_now())
    async with connected.house.engine.begin() as connection:
        await merging.undo(connection, merge.ref, act)
    assert await connected.parties() == APART
    assert (await relink(connected, **trusting)).linked == {}
    assert await connected.parties() == APART


@pytest.mark.parametrize("identity_settings", [{}])
async def test_numbers_are_read_anew(connected: ConnectedBridge) -> None:
    """Without a region nobody could tell whose number it was; what a record has given up stays given up."""
    connected.crm.state.welcome("old", phone="13900139000", verified=["phone"])
    await connected.settled()
    connected.crm.state.change_customer(connected.crm.state.customer("old"), by="agent", phone="139 1")
    connected.helpdesk.state.welcome("heir", phone="+8613900139000", verified=["phone"])
    await two(connected, {"phone": "13800138000", "verified": ["phone"]}, {})
    connected.crm.customer_says("crm_2", "Hello", phone="138 0013 8000", verified=["phone"])
    await connected.settled()
    assert len(await connected.parties()) == 5
    assert (await relink(connected, default_region="CN")).linked == {"phone": 1}
    parties = await connected.parties()
    assert frozenset({"cus_1", "crm_2"}) in parties
    assert frozenset({"old"}) in parties


async def test_ids_of_yours_that_stood_elsewhere_link(connected: ConnectedBridge) -> None:
    """The settings say now in which attribute the CRM keeps them."""
    await two(
        connected, {"external_id": "S-1", "verified": ["external_id"]}, {"attributes": {"shop_no": "S-1"}}
    )
    done = await relink(connected, trust=frozenset({"crm"}), ids={"crm": ("attributes.shop_no",)})
    assert done.linked == {"external": 1}
    assert await connected.parties() == TOGETHER


async def test_what_is_not_certain_is_suggested(connected: ConnectedBridge) -> None:
    """Two candidates: a person decides, and the pair is counted once."""
    await two(connected, PROVEN, EMAIL)
    connected.crm.customer_says("crm_2", "Hello", **EMAIL)
    await connected.settled()
    rehearsed = await relink(connected, rehearsal=True, trust=frozenset({"crm"}))
    assert await connected.rows("SELECT 1 FROM customer_merge") == []
    done = await relink(connected, trust=frozenset({"crm"}))
    assert len(await connected.parties()) == 3
    assert (done.linked, len(done.suggested)) == (rehearsed.linked, len(rehearsed.suggested))
    states = await connected.rows("SELECT state FROM customer_merge")
    assert {row.state for row in states} == {"suggested"}


async def test_it_works_beside_the_lanes(connected: ConnectedBridge) -> None:
    """Customers write while everybody is compared: all pairs are linked, nobody waits in a ring."""
    people = range(60)
    for number in people:
        connected.crm.state.welcome(f"crm_{number}", email=f"p{number}@example.com")
        about = {"email": f"p{number}@example.com", "verified": ["email"]}
        connected.helpdesk.state.welcome(f"cus_{number}", **about)
    await connected.settled()

    async def talk() -> None:
        for number in people:
            connected.helpdesk.customer_says(f"cus_{number}", "Hello")
            crm = connected.crm.state
            crm.change_customer(crm.customer(f"crm_{number}"), by="agent", name=f"Ann {number}")
            await asyncio.sleep(0.01)

    _, done = await asyncio.gather(talk(), relink(connected, trust=frozenset({"crm"})))
    await connected.settled()
    assert done.linked == {"email": len(people)}
    assert await connected.parties() == {frozenset({f"cus_{n}", f"crm_{n}"}) for n in people}
    (row,) = await connected.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert row.deadlocks == 0


async def sweep(connected: ConnectedBridge) -> None:
    """Reconcile the CRM, which finds what it has deleted."""
    pull, house = connected.settings.pull, connected.house
    adapter = house.adapters["crm"]
    run = await reconcile(
        Puller(engine=house.engine, name="crm", adapter=adapter, settings=pull, clock=utc_now)
    )
    assert run.of(PullKind.CUSTOMERS).gone == 1
    await connected.settled()


async def test_a_deleted_record_links_nobody(connected: ConnectedBridge) -> None:
    """Its address may be anybody's by now, even where it comes with another one that links."""
    connected.crm.customer_says("crm_1", "Hello", **PROVEN)
    await connected.settled()
    connected.crm.delete_customer("crm_1")
    await sweep(connected)
    connected.helpdesk.customer_says("cus_1", "Hello", **PROVEN)
    await connected.settled()
    assert await connected.parties() == APART
    assert (await relink(connected)).linked == {}
    assert await connected.rows("SELECT 1 FROM customer_merge") == []


async def test_a_record_that_was_made_anew_takes_the_deleted_ones_place(connected: ConnectedBridge) -> None:
    """The person has a record at that connection no more: a new one there is no contradiction."""
    connected.helpdesk.customer_says("cus_1", "Hello", **PROVEN)
    connected.crm.customer_says("crm_1", "Hello", **PROVEN)
    await connected.settled()
    assert await connected.parties() == TOGETHER
    connected.crm.delete_customer("crm_1")
    await sweep(connected)
    connected.crm.customer_says("crm_2", "Hello", **PROVEN)
    await connected.settled()
    assert await connected.parties() == {frozenset({"cus_1", "crm_1", "crm_2"})}


class TestSharing:
    """With a shared field."""

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        """The tier is the shop's to say."""
        return {"fields": {"customer": {"attributes.tier": {"owner": "shop"}}}}

    async def test_who_comes_together_is_brought_up_to_date(self, connected: ConnectedBridge) -> None:
        """As when the address is told."""
        await two(connected, {**PROVEN, "attributes": {"tier": "gold"}}, EMAIL)
        await relink(connected, trust=frozenset({"crm"}))
        record = connected.crm.state.customer("crm_1")
        await eventually(lambda: record.attributes == {"tier": "gold"}, what="the CRM is told")

    async def test_nothing_is_written_to_a_deleted_record(self, connected: ConnectedBridge) -> None:
        """There would be a parked command for every edit."""
        connected.helpdesk.customer_says("cus_1", "Hello", **PROVEN)
        connected.crm.customer_says("crm_1", "Hello", **PROVEN)
        await connected.settled()
        connected.crm.delete_customer("crm_1")
        await sweep(connected)
        connected.helpdesk.change_attributes("cus_1", tier="gold")
        await connected.settled()
        assert await connected.rows("SELECT 1 FROM command WHERE kind = 'update_customer'") == []
