"""Fields kept equal between two helpdesks: what one side edits, the other side shows."""

from typing import Any

import pytest
from support.mirrored import SIDES, Mirrored

from adapters.vendors.memory.faults import Fault


def held(mirrored: Mirrored, name: str) -> list[Any]:
    """What each side says of an attribute."""
    return [mirrored.customer(side).attributes.get(name) for side in SIDES]


async def test_an_edit_reaches_the_other_side(mirrored: Mirrored) -> None:
    """Once: the echo of our own write moves nothing."""
    await mirrored.linked()
    mirrored.edit("shop", city="Oslo")
    await mirrored.settled()
    assert held(mirrored, "city") == ["Oslo", "Oslo"]
    assert (mirrored.writes("crm"), mirrored.writes("shop")) == (1, 0)


async def test_a_removed_value_is_removed_on_the_other_side(mirrored: Mirrored) -> None:
    """Nothing is a value too."""
    await mirrored.linked(attributes={"city": "Oslo"})
    mirrored.edit("crm", city=None)
    await mirrored.settled()
    assert held(mirrored, "city") == [None, None]


async def test_what_is_not_listed_is_never_written(mirrored: Mirrored) -> None:
    """It is mirrored from where it comes, and that is all."""
    await mirrored.linked()
    mirrored.edit("shop", shoe_size=42)
    await mirrored.settled()
    assert held(mirrored, "shoe_size") == [None, 42]
    rows = await mirrored.rows("SELECT attributes ->> 'shoe_size' AS size FROM customer ORDER BY ref")
    assert {row.size for row in rows} == {"42", None}


async def test_edits_elsewhere_to_what_only_the_owner_may_edit_are_undone(mirrored: Mirrored) -> None:
    """Direction `out`: the owner's word goes."""
    await mirrored.linked()
    mirrored.edit("crm", tier="gold")
    await mirrored.settled()
    mirrored.edit("shop", tier="silver")
    await mirrored.settled()
    assert held(mirrored, "tier") == ["gold", "gold"]


async def test_labels_of_both_sides_unite(mirrored: Mirrored) -> None:
    """One side adds, the other takes away, at the same time."""
    await mirrored.linked(attributes={"labels": ["a", "b"]})
    mirrored.edit("crm", labels=["a", "b", "c"])
    mirrored.edit("shop", labels=["b"])
    await mirrored.settled()
    assert [sorted(labels) for labels in held(mirrored, "labels")] == [["b", "c"], ["b", "c"]]


@pytest.mark.parametrize("fault", [Fault.TIME_OUT_AFTER, Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.ERROR])
async def test_a_write_whose_outcome_is_unknown_is_looked_up(mirrored: Mirrored, fault: Fault) -> None:
    """It is not written twice where it worked, and written where it didn't."""
    await mirrored.linked()
    mirrored.sides["crm"].misbehave(fault, method="PATCH", seconds=0.1)
    mirrored.edit("shop", city="Oslo")
    await mirrored.settled()
    assert held(mirrored, "city") == ["Oslo", "Oslo"]
    assert mirrored.writes("crm") == (2 if fault is Fault.ERROR else 1)


async def test_an_edit_that_we_have_not_heard_of_is_merged_before_we_write(mirrored: Mirrored) -> None:
    """The write says which revision it knows; refused, we read again."""
    await mirrored.linked()
    mirrored.sides["crm"].misbehave(Fault.DROP, times=None)
    mirrored.edit("crm", labels=["unheard"])
    mirrored.edit("shop", labels=["told"])
    await mirrored.settled()
    assert held(mirrored, "labels") == [["told", "unheard"]] * 2
    assert 412 in [entry.status for entry in mirrored.sides["crm"].requests]


async def test_a_late_webhook_changes_nothing(mirrored: Mirrored) -> None:
    """It tells of a revision older than the one we know."""
    await mirrored.linked()
    mirrored.sides["shop"].misbehave(Fault.REORDER, seconds=0.3)
    mirrored.edit("shop", city="Oslo")
    mirrored.edit("shop", city="Bergen")
    await mirrored.settled()
    assert held(mirrored, "city") == ["Bergen", "Bergen"]


async def test_many_edits_wait_as_one_write(mirrored: Mirrored) -> None:
    """While the other side is slow, what comes in between is written together."""
    await mirrored.linked()
    mirrored.sides["crm"].misbehave(Fault.SLOW, method="PATCH", seconds=0.5)
    for number in range(20):
        mirrored.edit("shop", city=f"city {number}", stage="trial")
    await mirrored.settled()
    assert held(mirrored, "city") == ["city 19", "city 19"]
    assert mirrored.writes("crm") <= 4
