"""Customers of two connections are one person where that is proven: through HTTP on all sides."""

from pathlib import Path
from typing import Any

import pytest
from support.connected import ConnectedBridge

from config.settings import PACKAGED


async def test_a_verified_address_links_two_connections(connected: ConnectedBridge) -> None:
    """The same person, spelled in two ways, has a record at each connection under one ref."""
    said = connected.helpdesk.customer_says(
        "cus_1", "Hello", name="Ann", phone="138 0013 8000", verified=["phone"]
    )
    connected.crm.customer_says("crm_1", "Hello", name="Ann Lee", phone="+8613800138000", verified=["phone"])
    await connected.settled()
    assert await connected.parties() == {frozenset({"cus_1", "crm_1"})}
    (merge,) = await connected.rows("SELECT * FROM customer_merge")
    assert (merge.state, merge.rule) == ("merged", "phone")
    assert merge.evidence == [{"kind": "phone", "value": "+8613800138000"}]
    assert merge.event_ref is not None
    assert len(connected.replies(said.conversation_id)) == 1


async def test_an_unverified_address_links_nobody_here(connected: ConnectedBridge) -> None:
    """A visitor who types the address of a customer sees nothing of them."""
    connected.crm.customer_says("crm_1", "Hello", email="ann@example.com", verified=["email"])
    connected.helpdesk.customer_says("cus_1", "Hello", email="ann@example.com")
    await connected.settled()
    assert await connected.parties() == {frozenset({"cus_1"}), frozenset({"crm_1"})}
    assert await connected.rows("SELECT 1 FROM customer_merge") == []


class TestTrusted:
    """With a CRM whose word is taken, and whose record id is the shop's id."""

    @pytest.fixture
    def identity_settings(self) -> dict[str, Any]:
        """Trust the CRM; the shop proves its ids."""
        return {"trust": ["crm"], "ids": {"crm": ["id", "attributes.shop_no"]}}

    @pytest.fixture
    def overrides(self, tmp_path: Path) -> dict[str, Any]:
        """A VIP gets a person at once."""
        packaged = (PACKAGED / "policies" / "default.yaml").read_text(encoding="utf-8")
        folder = tmp_path / "policies"
        folder.mkdir()
        impatient = packaged.replace('customer.vip && waiting > duration("15s")', "customer.vip")
        (folder / "default.yaml").write_text(impatient, encoding="utf-8")
        return {"policies": folder}

    async def test_what_the_crm_knows_counts_in_the_first_message(self, connected: ConnectedBridge) -> None:
        """A rule on VIPs acts at once: the link is made before the rules are asked."""
        connected.crm.customer_says("crm_1", "Hello", attributes={"tier": "gold", "shop_no": "S-1"})
        await connected.settled()
        connected.helpdesk.customer_says(
            "cus_1", "How long does delivery take?", external_id="S-1", verified=["external_id"]
        )
        await connected.settled()
        assert await connected.parties() == {frozenset({"cus_1", "crm_1"})}
        (hand_off,) = await connected.rows(
            "SELECT h.rule, h.package FROM hand_off h JOIN conversation v ON v.ref = h.conversation_ref"
            " WHERE v.connection = 'shop'"
        )
        assert hand_off.rule == "vip-never-waits"
        customer = hand_off.package["customer"]
        assert customer["attributes"]["tier"] == "gold"
        assert customer["ref"] == await connected.ref_of("crm", "crm_1")
        assert {"connection": "crm", "kind": "vendor", "value": "crm_1"} in customer["identities"]

    async def test_the_crms_own_record_id_links(self, connected: ConnectedBridge) -> None:
        """The shop keeps the CRM's id as its own."""
        connected.helpdesk.customer_says("cus_1", "Hello", external_id="crm_1", verified=["external_id"])
        connected.crm.customer_says("crm_1", "Hello")
        await connected.settled()
        assert await connected.parties() == {frozenset({"cus_1", "crm_1"})}


async def test_records_that_the_vendor_merges_are_one_person(connected: ConnectedBridge) -> None:
    """Merged under our feet: the conversation goes on, and what was said is still there."""
    said = connected.helpdesk.customer_says("cus_2", "Hello", name="Ann")
    connected.helpdesk.customer_says("cus_1", "Hello", name="Ann Lee")
    await connected.settled()
    connected.helpdesk.merge_customers("cus_1", "cus_2")
    connected.helpdesk.customer_says(
        "cus_1", "How long does delivery take?", conversation_id=said.conversation_id
    )
    await connected.settled()
    assert await connected.parties() == {frozenset({"cus_1", "cus_2"})}
    assert len(connected.replies(said.conversation_id)) == 2
    (merge,) = await connected.rows("SELECT rule, state FROM customer_merge")
    assert tuple(merge) == ("vendor", "merged")


class TestShared:
    """With addresses that belong to nobody once more than two have them."""

    @pytest.fixture
    def identity_settings(self) -> dict[str, Any]:
        """Two may share a number."""
        return {"default_region": "CN", "shared_after": 2}

    async def test_a_number_that_many_have_links_nobody(self, connected: ConnectedBridge) -> None:
        """The family's, the office's, the shop's own: it says nothing about anyone."""
        shared = {"phone": "13800138000", "verified": ["phone"]}
        for number in range(3):
            connected.helpdesk.customer_says(f"cus_{number}", "Hello", **shared)
            await connected.settled()
        connected.crm.customer_says("crm_1", "Hello", **shared)
        await connected.settled()
        assert len(await connected.parties()) == 4
        crm = await connected.ref_of("crm", "crm_1")
        assert (
            await connected.rows(
                "SELECT 1 FROM customer_merge WHERE kept_record = :ref OR gone_record = :ref", ref=crm
            )
            == []
        )
