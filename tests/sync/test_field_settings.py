"""Shared fields in the configuration: what is accepted, and what is refused with the place and the cure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.model import CustomerRecord
from config.clock import utc_now
from config.settings import PACKAGED, ConfigError, load_settings
from sync import fields, writing
from sync.mirror import shown
from sync.people import new_customer

CONNECTIONS = {name: {"adapter": "memory"} for name in ("crm", "shop")}


def load(tmp_path: Path, customer: dict[str, Any]) -> Any:
    """Settings from a file with these shared fields."""
    path = tmp_path / "deskbridge.yaml"
    path.write_text(yaml.safe_dump({"connections": CONNECTIONS, "fields": {"customer": customer}}))
    return load_settings(path)


@pytest.mark.parametrize(
    ("field", "said", "place", "cure"),
    [
        ("name", {}, "fields.customer.name", "name its owner"),
        ("name", {"owner": "erp"}, "fields.customer.name", "there are: crm, shop"),
        ("email", {"merge": "ask"}, "fields.customer", "use name or attributes.NAME"),
        ("attributes.tier", {"merge": "newest", "direction": "out"}, "attributes.tier", "needs an owner"),
        ("attributes.stage", {"merge": "lattice"}, "attributes.stage", "give both or neither"),
        ("attributes.city", {"merge": "latest"}, "attributes.city", "'newest'"),
        ("name", {"owner": "crm", "connections": ["shop"]}, "fields.customer.name", "add it there"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, field: str, said: dict[str, Any], place: str, cure: str
) -> None:
    """The message names the file, the field and what to write."""
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {field: said})
    assert str(tmp_path / "deskbridge.yaml") in str(refused.value)
    assert place in str(refused.value)
    assert cure in str(refused.value)


def test_the_example_in_the_packaged_settings_is_right(tmp_path: Path) -> None:
    """Its lines work once the comment signs are gone."""
    lines = (PACKAGED / "deskbridge.yaml").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# fields:"))
    example = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[start:]))
    loaded = load(tmp_path, example["fields"]["customer"])
    assert loaded.fields.customer["attributes.tier"].direction == "out"


def test_a_write_that_the_vendor_ignores_is_noticed(tmp_path: Path) -> None:
    """Its answer shows what was there before: that is no edit of theirs, and must not win."""
    settings = load(tmp_path, {"attributes.city": {"merge": "newest"}, "name": {"owner": "crm"}})
    rules = fields.field_rules(settings.fields.customer, lambda _: frozenset(CONNECTIONS))
    customer = new_customer(1, ("shop", "1"), at=utc_now())
    customer.name, customer.attributes = "Mei", {"city": "Oslo"}
    answer = CustomerRecord(id="1", name="Lin", attributes={"city": "Oslo"})
    written = {"attributes.city": "Lima", "name": "Lin"}
    before, after = (writing.Shown(each, rules) for each in (customer, shown(customer, answer)))
    assert writing.ignored(customer, written, before=before, after=after) == ["attributes.city"]


@pytest.mark.parametrize(
    ("field", "said", "place", "cure"),
    [
        ("assignee", {"merge": "newest"}, "fields.conversation", "tags, subject or attributes.NAME"),
        ("attributes.", {"merge": "newest"}, "fields.conversation", "tags, subject or attributes.NAME"),
        ("subject", {"merge": "append"}, "fields.conversation", "use another merge"),
        ("status", {"merge": "lattice", "order": ["open", "done"]}, "fields.conversation", "can be done"),
        ("status", {"merge": "union"}, "fields.conversation", "use another merge"),
        ("tags", {"merge": "append"}, "fields.conversation", "use merge: union"),
        ("tags", {}, "fields.conversation.tags", "name its owner"),
        ("tags", {"owner": "erp"}, "fields.conversation.tags", "there are: crm, shop"),
    ],
)
def test_what_makes_no_sense_for_conversations_is_refused(
    tmp_path: Path, field: str, said: dict[str, Any], place: str, cure: str
) -> None:
    """What no command could write, above all."""
    path = tmp_path / "deskbridge.yaml"
    chosen = {"conversation": {field: said}}
    path.write_text(yaml.safe_dump({"connections": CONNECTIONS, "fields": chosen}))
    with pytest.raises(ConfigError) as refused:
        load_settings(path)
    assert str(path) in str(refused.value)
    assert place in str(refused.value)
    assert cure in str(refused.value)
