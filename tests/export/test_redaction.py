"""What is masked, and what is not."""

from typing import Any

import pytest

from gateway.export.redaction import EMAIL, NAME, PHONE, redact


def masked(text: str, *, name: str = "") -> Any:
    """A message's text after masking."""
    return redact("messages", {"text": text, "attachments": []}, name=name)["text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann.lee+shop@mail.example.co.uk please", f"write to {EMAIL} please"),
        ("邮箱ann@example.com谢谢", f"邮箱{EMAIL}谢谢"),
        ("我的电话13800138000，谢谢", f"我的电话{PHONE}，谢谢"),
        ("138-0013-8000", PHONE),
        ("+86 138 0013 8000", PHONE),
        ("+1 (555) 010-0199", PHONE),
        ("call 555-010-0199 now", f"call {PHONE} now"),
        ("021-55501234", PHONE),
        ("order 20261111001 of 2026-11-11", "order 20261111001 of 2026-11-11"),
        ("parcel SF1380013800012", "parcel SF1380013800012"),
        ("it costs 1 299 000", "it costs 1 299 000"),
    ],
)
def test_addresses_are_masked_and_order_numbers_are_not(text: str, expected: str) -> None:
    """In both languages, with no blanks around them in Chinese."""
    assert masked(text) == expected


def test_the_customers_name_is_masked_wherever_it_is_written() -> None:
    """Whole and in parts, but not inside other words."""
    assert (
        masked("Ann here. Mrs Lee? Annual sale!", name="Ann Lee") == f"{NAME} here. Mrs {NAME}? Annual sale!"
    )
    assert masked("我是王小安。", name="王小安") == f"我是{NAME}。"


def test_attributes_are_masked_by_their_name_too() -> None:
    """A shop's own field that holds a name needs no recognisable value."""
    row = {
        "ref": 1,
        "name": "Ann",
        "attributes": {"nick_name": "x", "tier": "vip", "姓名": "安"},
        "identities": [],
    }
    assert redact("customers", row)["attributes"] == {
        "nick_name": "[private]",
        "tier": "vip",
        "姓名": "[private]",
    }


def test_facts_that_a_rule_read_are_masked() -> None:
    """A decision's inputs name their facts by path."""
    row = {"inputs": {"customer.name": "Ann", "customer.attributes.email": "x", "ai.failed_turns": 3}}
    assert redact("decisions", row)["inputs"] == {
        "customer.name": "[private]",
        "customer.attributes.email": "[private]",
        "ai.failed_turns": 3,
    }
