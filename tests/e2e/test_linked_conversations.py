"""Conversations linked as one case: what one side edits, the other side shows; leases stay each their own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from support.bridge import eventually
from support.desk import MEI
from support.mirrored import SIDES, Mirrored, mirroring
from typer.testing import CliRunner

from adapters.vendors.memory.faults import Fault
from config.clock import utc_now
from gateway import access
from gateway.access import Scope
from gateway.cli import app


@pytest.fixture
async def asking(database_url: str, tmp_path: Path) -> AsyncIterator[Mirrored]:
    """Two helpdesks whose conversations' status nobody but a person decides."""
    fields = {"conversation": {"status": {"merge": "ask"}}}
    async with mirroring(database_url, tmp_path, fields=fields) as found:
        yield found
        await asyncio.sleep(0)


async def allowed(mirrored: Mirrored) -> httpx.AsyncClient:
    """The API, with a key that opens all of it."""
    async with mirrored.house.engine.begin() as connection:
        _, token = await access.create_key(connection, name="tests", scopes=[Scope.ADMIN], clock=utc_now)
    mirrored.http.headers["Authorization"] = f"Bearer {token}"
    return mirrored.http


@pytest.mark.usefixtures("writing")
async def test_linked_through_the_api_both_sides_are_merged_and_kept_equal(mirrored: Mirrored) -> None:
    """What they have when they are linked unites, what is edited later reaches the other side once."""
    crm, shop = await mirrored.two_conversations()
    mirrored.tag("crm", "vip")
    mirrored.tag("shop", "refund")
    mirrored.move("shop", "open")
    await mirrored.settled()
    api = await allowed(mirrored)
    answer = await api.put(f"/v1/conversations/{crm}/links", json={"other": shop})
    assert answer.status_code == 200, answer.text
    assert [item["ref"] for item in answer.json()["conversations"]] == [crm, shop]
    await mirrored.settled()
    assert mirrored.says("tags") == [["refund", "vip"]] * 2
    assert mirrored.says("status") == ["open", "open"]
    before = [mirrored.case_writes(side) for side in SIDES]
    mirrored.move("crm", "resolved")
    await mirrored.settled()
    assert mirrored.says("status") == ["resolved", "resolved"]
    assert [mirrored.case_writes(side) for side in SIDES] == [before[0], before[1] + 1]


async def test_tags_of_both_sides_unite(mirrored: Mirrored) -> None:
    """One side adds, the other takes away, at the same time."""
    await mirrored.case(tags=["a", "b"])
    mirrored.tag("crm", "a", "b", "c")
    mirrored.tag("shop", "b")
    await mirrored.settled()
    assert mirrored.says("tags") == [["b", "c"], ["b", "c"]]


@pytest.mark.usefixtures("writing")
async def test_subject_and_custom_attributes_are_kept_equal(mirrored: Mirrored) -> None:
    """Each by its rule; attributes that aren't shared stay where they are; taken away is taken away."""
    crm, shop = await mirrored.two_conversations(attributes={"own": "1"})
    mirrored.call("crm", "Parcel")
    mirrored.note("crm", flags=["late"], level="low")
    mirrored.note("shop", flags=["paid"], level="high", own="2")
    await mirrored.settled()
    api = await allowed(mirrored)
    assert (await api.put(f"/v1/conversations/{crm}/links", json={"other": shop})).status_code == 200
    await mirrored.settled()
    assert mirrored.says("subject") == ["Parcel", "Parcel"]
    assert mirrored.says("attributes.flags") == [["late", "paid"]] * 2
    assert mirrored.says("attributes.level") == ["high", "high"]
    mirrored.note("shop", order="12", flags=["paid"])
    await mirrored.settled()
    assert mirrored.says("attributes.order") == ["12", "12"]
    assert mirrored.says("attributes.flags") == [["paid"], ["paid"]]
    mirrored.note("crm", order=None)
    mirrored.call("crm", "")
    await mirrored.settled()
    assert mirrored.says("attributes.order") == [None, None]
    assert mirrored.says("subject") == ["", ""]
    assert mirrored.says("attributes.own") == ["1", "2"]
    before = [mirrored.case_writes(side) for side in SIDES]
    await mirrored.settled()
    assert [mirrored.case_writes(side) for side in SIDES] == before, "traffic went on"


async def test_an_edit_between_our_reading_and_our_write_is_merged(mirrored: Mirrored) -> None:
    """The write that somebody was faster than is refused; ours is made again, with theirs."""
    await mirrored.case(tags=["a"])
    mirrored.sides["crm"].misbehave(Fault.LATE, method="PATCH", path="/conversations/", seconds=0.3)
    mirrored.tag("shop", "a", "told")
    mirrored.move("shop", "open")
    mirrored.note("shop", order="12", level="high")
    late = mirrored.sides["crm"].requests
    await eventually(lambda: any(entry.fault == "late" for entry in late), what="the write is under way")
    mirrored.sides["crm"].misbehave(Fault.DROP, times=None)
    mirrored.tag("crm", "faster")
    mirrored.move("crm", "snoozed")
    mirrored.note("crm", order="13")
    mirrored.call("crm", "Parcel")
    await mirrored.settled()
    assert mirrored.says("tags") == [["faster", "told"]] * 2
    assert mirrored.says("status") == ["snoozed", "snoozed"]
    assert mirrored.says("attributes.order") == ["13", "13"]
    assert mirrored.says("attributes.level") == ["high", "high"]
    assert mirrored.says("subject") == ["Parcel", "Parcel"]
    assert 412 in {entry.status for entry in mirrored.sides["crm"].requests}


@pytest.mark.usefixtures("writing")
async def test_vendors_that_keep_values_in_forms_of_their_own_come_to_rest(mirrored: Mirrored) -> None:
    """One makes texts of numbers, the other numbers of texts: each keeps its own, and nothing is parked."""
    crm, shop = (mirrored.sides[side].state for side in SIDES)
    for state, form in ((crm, int), (shop, str)):
        state.change = formed(state.change, form)  # type: ignore[method-assign]
    await mirrored.case()
    mirrored.note("crm", order=12)
    await mirrored.settled()
    mirrored.note("shop", order="34")
    await mirrored.settled()
    assert mirrored.says("attributes.order") == [34, "34"]
    before = [mirrored.case_writes(side) for side in SIDES]
    mirrored.call("crm", "Parcel")
    await mirrored.settled()
    assert mirrored.says("attributes.order") == [34, "34"]
    assert [mirrored.case_writes(side) for side in SIDES] == [before[0], before[1] + 1]
    assert await mirrored.rows("SELECT 1 FROM command WHERE state = 'parked'") == []


@pytest.mark.usefixtures("writing")
async def test_a_form_heard_of_before_the_write_is_answered_is_no_refusal(mirrored: Mirrored) -> None:
    """What one side makes of our write reaches the other, which can't hold it, before we know whose it is."""
    crm, shop = (mirrored.sides[side].state for side in SIDES)
    for state, form in ((crm, int), (shop, str)):
        state.change = formed(state.change, form)  # type: ignore[method-assign]
    await mirrored.case()
    mirrored.sides["crm"].misbehave(Fault.SLOW, method="PATCH", path="/conversations/", seconds=1.0)
    mirrored.note("shop", order="34")
    await mirrored.settled()
    assert mirrored.says("attributes.order") == [34, "34"]
    assert "slow" in {entry.fault for entry in mirrored.sides["crm"].requests}
    assert await mirrored.rows("SELECT 1 FROM command WHERE state = 'parked'") == []


def formed(change: Any, form: Any) -> Any:
    """A helpdesk's own way of keeping the attribute `order`."""

    def keep(conversation: Any, *, by: str, **fields: Any) -> Any:
        attributes = dict(fields.get("attributes", conversation.attributes))
        if "order" in attributes:
            attributes["order"] = form(attributes["order"])
        return change(conversation, by=by, **fields | {"attributes": attributes})

    return keep


async def test_the_higher_status_wins_when_both_sides_move(mirrored: Mirrored) -> None:
    """And an edit on one side alone may go down again."""
    await mirrored.case()
    mirrored.move("crm", "open")
    mirrored.move("shop", "resolved")
    await mirrored.settled()
    assert mirrored.says("status") == ["resolved", "resolved"]
    mirrored.move("crm", "open")
    await mirrored.settled()
    assert mirrored.says("status") == ["open", "open"]


@pytest.mark.usefixtures("writing")
async def test_a_status_written_to_a_twin_moves_no_lease(database_url: str, tmp_path: Path) -> None:
    """A person opened it at one side, which takes it from the AI there; at the other side that was us."""
    async with mirroring(database_url, tmp_path, ai=True) as mirrored:
        crm, shop = await mirrored.case()
        mirrored.move("crm", "open")
        await mirrored.settled()
        assert mirrored.says("status") == ["open", "open"]
        found = await mirrored.rows("SELECT ref, lease_holder, status FROM conversation")
        held = {row.ref: (row.lease_holder, row.status) for row in found}
        assert held == {crm: ("nobody", "open"), shop: ("ai", "open")}
        mirrored.move("shop", "pending")
        mirrored.move("shop", "open")
        await mirrored.settled()
        (row,) = await mirrored.rows("SELECT lease_holder FROM conversation WHERE ref = :r", r=shop)
        assert row.lease_holder == "nobody", "a person's own move at that side counts as ever"


async def test_what_is_not_linked_or_unlinked_stays_as_it_is(mirrored: Mirrored) -> None:
    """Nothing is written; unlinking takes nothing back."""
    crm, shop = await mirrored.two_conversations()
    mirrored.move("crm", "open")
    await mirrored.settled()
    assert mirrored.says("status") == ["open", "pending"]
    api = await allowed(mirrored)
    await api.put(f"/v1/conversations/{shop}/links", json={"other": crm})
    await mirrored.settled()
    assert mirrored.says("status") == ["open", "open"]
    gone = await api.delete(f"/v1/conversations/{crm}/links")
    assert (gone.status_code, gone.json()) == (200, {"conversations": []})
    mirrored.move("crm", "resolved")
    mirrored.tag("shop", "later")
    await mirrored.settled()
    assert mirrored.says("status") == ["resolved", "open"]
    assert mirrored.says("tags") == [[], ["later"]]


async def test_links_that_make_no_sense_are_refused(mirrored: Mirrored) -> None:
    """With itself, with what isn't there, with a second one at the same connection."""
    crm, shop = await mirrored.case(1)
    other, _ = await mirrored.two_conversations(2)
    api = await allowed(mirrored)

    async def put(ref: int, to: int) -> tuple[int, str]:
        answer = await api.put(f"/v1/conversations/{ref}/links", json={"other": to})
        return answer.status_code, str(answer.json().get("detail", ""))

    assert (await put(crm, crm))[0] == 409
    assert (await put(crm, 7))[0] == 404
    status, why = await put(shop, other)
    assert (status, "unlink one of them first" in why) == (409, True)
    assert (await put(shop, crm))[0] == 200, "linked already"
    assert (await api.get("/v1/conversations/7/links")).status_code == 404
    assert (await api.get(f"/v1/conversations/{other}/links")).json() == {"conversations": []}


@pytest.mark.usefixtures("writing")
async def test_two_moves_that_no_rule_decides_are_a_conflict(asking: Mirrored) -> None:
    """Listed as customers' are; nothing is overwritten until a person decides; undone, both values return."""
    await asking.case()
    asking.move("crm", "open")
    asking.move("shop", "snoozed")
    await asking.settled()
    assert asking.says("status") == ["open", "snoozed"]
    api = await allowed(asking)
    (conflict,) = (await api.get("/v1/conflicts")).json()["items"]
    assert {conflict[side]["value"] for side in ("ours", "theirs")} == {"open", "snoozed"}
    assert (conflict["field"], conflict["customer_ref"], conflict["base"]) == ("status", None, "pending")
    path = f"/v1/conflicts/{conflict['ref']}"
    for nonsense in ("done", None, 3):
        body = {"agent": MEI, "choice": "value", "value": nonsense}
        refused = await api.post(f"{path}/resolve", json=body)
        assert (refused.status_code, "one of pending, open" in refused.text) == (409, True), refused.text
    body = {"agent": MEI, "choice": "value", "value": "resolved"}
    assert (await api.post(f"{path}/resolve", json=body)).status_code == 200
    await asking.settled()
    assert asking.says("status") == ["resolved", "resolved"]
    assert (await api.post(f"{path}/undo", json={"agent": MEI})).status_code == 200
    await asking.settled()
    assert asking.says("status") == ["open", "snoozed"]


async def test_a_conflict_ends_when_its_conversation_is_unlinked(asking: Mirrored) -> None:
    """There is nothing left to decide."""
    crm, _ = await asking.case()
    asking.move("crm", "open")
    asking.move("shop", "snoozed")
    await asking.settled()
    api = await allowed(asking)
    await api.delete(f"/v1/conversations/{crm}/links")
    assert (await api.get("/v1/conflicts")).json()["items"] == []
    assert asking.says("status") == ["open", "snoozed"]


@pytest.mark.parametrize("fault", [Fault.TIME_OUT_AFTER, Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.ERROR])
async def test_a_move_whose_outcome_is_unknown_is_looked_up(mirrored: Mirrored, fault: Fault) -> None:
    """It is not made twice where it worked, and made where it didn't."""
    await mirrored.case()
    before = mirrored.case_writes("crm")
    mirrored.sides["crm"].misbehave(fault, method="PATCH", seconds=0.1)
    mirrored.move("shop", "open")
    await mirrored.settled()
    assert mirrored.says("status") == ["open", "open"]
    assert mirrored.case_writes("crm") - before == (2 if fault is Fault.ERROR else 1)


@pytest.mark.usefixtures("writing")
async def test_an_edit_that_was_not_told_is_merged_before_the_write(mirrored: Mirrored) -> None:
    """Its webhook was lost: it is read."""
    await mirrored.case()
    mirrored.sides["crm"].misbehave(Fault.DROP, times=None)
    mirrored.tag("crm", "unheard")
    mirrored.tag("shop", "told")
    await mirrored.settled()
    assert mirrored.says("tags") == [["told", "unheard"]] * 2


@pytest.mark.usefixtures("writing")
async def test_a_late_webhook_undoes_nothing(mirrored: Mirrored) -> None:
    """It tells of what was before our write, of which we were not told at all: its webhook was lost."""
    await mirrored.case()
    mirrored.sides["crm"].misbehave(Fault.REORDER, seconds=0.7)
    mirrored.sides["crm"].misbehave(Fault.DROP, times=None)
    mirrored.sides["shop"].misbehave(Fault.SLOW, method="GET", seconds=0.3)
    mirrored.tag("crm", "old")
    mirrored.tag("shop", "new")
    await mirrored.settled()
    assert mirrored.says("tags") == [["new", "old"]] * 2
    (row,) = await mirrored.rows("SELECT count(*) AS n FROM inbox WHERE connection = 'crm'")
    assert row.n == 3, "the late one came"


@pytest.mark.usefixtures("writing")
async def test_a_refused_write_is_parked_and_replayed(mirrored: Mirrored) -> None:
    """A dry run says that it would be sent; replayed, it writes what is current then."""
    await mirrored.case()
    for method in ("POST", "PATCH"):  # whichever it is written by
        mirrored.sides["crm"].misbehave(Fault.ERROR, status=422, method=method, path="/conversations/")
    mirrored.tag("shop", "vip")
    await mirrored.settled()
    assert mirrored.says("tags") == [[], ["vip"]]
    api = await allowed(mirrored)
    mirrored.sides["crm"].behave()
    (parked,) = (await api.get("/v1/parked")).json()["items"]
    body = {"why": "mended"}
    path = f"/v1/parked/{parked['id']}/replay"
    dry = await api.post(path, params={"dry_run": "true"}, json=body)
    assert "be sent to crm" in dry.json()["rehearsal"]["would"], dry.text
    done = await api.post(path, json=body)
    assert done.status_code == 200, done.text
    await mirrored.settled()
    assert mirrored.says("tags") == [["vip"], ["vip"]]


@pytest.mark.usefixtures("writing")
async def test_many_edits_wait_as_one_write(mirrored: Mirrored) -> None:
    """While the other side is slow, what comes in between is written together."""
    await mirrored.case()
    before = mirrored.case_writes("crm")
    for method in ("POST", "PATCH"):
        mirrored.sides["crm"].misbehave(Fault.SLOW, method=method, seconds=0.5)
    for number in range(20):
        mirrored.tag("shop", f"tag {number}")
    await mirrored.settled()
    assert mirrored.says("tags") == [["tag 19"]] * 2
    assert mirrored.case_writes("crm") - before <= 4


async def test_linking_and_unlinking_from_the_command_line(mirrored: Mirrored) -> None:
    """Link, show, unlink."""
    refs = await mirrored.two_conversations()
    crm, shop = map(str, refs)
    api = await allowed(mirrored)
    environment = {
        "DESKBRIDGE_URL": str(mirrored.http.base_url),
        "DESKBRIDGE_API_KEY": api.headers["Authorization"].removeprefix("Bearer "),
        "COLUMNS": "200",
    }

    async def say(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["conversations", *words], env=environment)
        assert done.exit_code == 0, done.output
        return str(done.output)

    assert crm in await say("link", shop, crm)
    assert shop in await say("links", crm)
    assert "not linked" in await say("unlink", shop)
    assert "not linked" in await say("links", crm)


@pytest.mark.parametrize("configured", [True, False])
async def test_nothing_is_asked_where_nothing_is_shared(
    database_url: str, tmp_path: Path, *, configured: bool
) -> None:
    """Without shared fields of conversations, no statement is spent on links."""
    fields: dict[str, Any] = {"conversation": {"tags": {"merge": "union"}}} if configured else {}
    async with mirroring(database_url, tmp_path, fields=fields) as mirrored:
        said: list[str] = []

        def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
            said.append(statement)

        engine = mirrored.house.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            await mirrored.two_conversations()
            mirrored.move("crm", "open")
            await mirrored.settled()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        assert any("conversation_link" in statement for statement in said) is configured
