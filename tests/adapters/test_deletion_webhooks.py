"""What each vendor's own notification of a deletion is read as: ids, and nothing that would bring it back."""

from pathlib import Path

import pytest

from adapters import registry
from adapters.contract import Webhook, decode
from adapters.model import ConversationDeleted, CustomerDeleted
from adapters.vendors import hubspot, intercom, memory, sunshine, zendesk

FOLDERS = {
    name: Path(str(package.__file__)).parent / "fixtures"
    for name, package in (
        ("hubspot", hubspot),
        ("intercom", intercom),
        ("memory", memory),
        ("sunshine", sunshine),
        ("zendesk", zendesk),
    )
}
SETTINGS = {
    "hubspot": {"token": "t", "webhook_secret": "s", "actor_id": "A-1"},
    "intercom": {"token": "t", "webhook_secret": "s", "admin_id": "1"},
    "memory": {"base_url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"},
    "sunshine": {
        "base_url": "https://acme.zendesk.com/sc",
        "app_id": "6543f0c1a2b3c4d5e6f70819",
        "key_id": "k",
        "key_secret": "s",
        "webhook_secret": "w",
        "integration": "us",
    },
    "zendesk": {"base_url": "https://acme.zendesk.com", "token": "t", "webhook_secret": "s"},
}
CONVERSATION, CUSTOMER = ConversationDeleted, CustomerDeleted
TOLD = [
    ("hubspot", "contact_deletion", CUSTOMER, "501"),
    ("hubspot", "contact_privacy_deletion", CUSTOMER, "501"),
    ("hubspot", "conversation_deletion", CONVERSATION, "4711"),
    ("hubspot", "conversation_privacy_deletion", CONVERSATION, "4711"),
    ("intercom", "contact_deleted", CUSTOMER, "67b0aa01c16da6b56c76cc01"),
    ("intercom", "conversation_deleted", CONVERSATION, "4711"),
    ("memory", "conversation_deleted", CONVERSATION, "con_2"),
    ("memory", "customer_deleted", CUSTOMER, "cus_chen"),
    ("sunshine", "conversation_remove", CONVERSATION, "68a1f0c2b3d4e5f607182930"),
    ("sunshine", "user_remove", CUSTOMER, "68a1f0c2b3d4e5f6071828aa"),
    ("zendesk", "ticket_permanently_deleted", CONVERSATION, "5158"),
    ("zendesk", "ticket_soft_deleted", CONVERSATION, "5158"),
    ("zendesk", "user_deleted", CUSTOMER, "4412"),
]


@pytest.mark.parametrize(
    ("vendor", "file", "kind", "number"), TOLD, ids=[f"{vendor}-{file}" for vendor, file, *_ in TOLD]
)
async def test_a_deletion_is_told_by_its_id(
    vendor: str, file: str, kind: type[CONVERSATION | CUSTOMER], number: str
) -> None:
    """In the lane in which everything else of that conversation or customer comes."""
    adapter = registry.build(vendor, SETTINGS[vendor])
    body = (FOLDERS[vendor] / f"{file}.json").read_bytes()
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=body)
    (delivery,) = adapter.receive(webhook, decode(body)).deliveries
    (change,) = adapter.parse(delivery.body)
    assert type(change) is kind
    told = change.conversation_id if isinstance(change, ConversationDeleted) else change.customer_id
    assert told == number
    assert delivery.lane.rpartition(":")[2] == number
    await adapter.aclose()
