"""Adapters that misread what a webhook tells."""

# ruff: noqa: ARG002, D102 - each overrides what the class's one line tells of

import itertools
import json
from collections.abc import Sequence
from typing import Any

from adapters.contract import Delivery, Receipt, Webhook
from adapters.model import Author, Change
from adapters.vendors.memory.adapter import Memory
from mutants.breaking import Mutant, altered, replace, seen_by

_NUMBERS = itertools.count()


@seen_by("redelivered")
class NewKeys(Mutant):
    """Each time another key."""

    manifest = Memory.manifest

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        (delivery,) = super().receive(webhook, payload).deliveries
        return Receipt(deliveries=(replace(delivery, key=str(next(_NUMBERS))),))


@seen_by("webhooks", "understood")
class Deaf(Mutant):
    """It understands nothing."""

    manifest = Memory.manifest

    def parse(self, body: bytes) -> Sequence[Change]:
        return ()


@seen_by("understood")
class Imaginative(Mutant):
    """It takes the unknown for something."""

    manifest = Memory.manifest

    def parse(self, body: bytes) -> Sequence[Change]:
        return super().parse(body.replace(b"agent_on_duty", b"customer_changed").replace(*_WHOLE_CUSTOMER))


_WHOLE_CUSTOMER = (
    b'"id": "cus_chen"\n  }\n}',
    (
        b'"id": "cus_chen", "name": "C", "email": null, "phone": null, "external_id": null, "attributes": {},'
        b' "language": null, "revision": 1, "updated_at": "2026-11-14T02:20:11Z"}}'
    ),
)

altered("Random", ("twice_the_same",), lambda m: replace(m, id=str(next(_NUMBERS))))
altered("Naive", ("well_formed",), lambda m: replace(m, sent_at=m.sent_at.replace(tzinfo=None)))
altered("Numbered", ("well_formed",), lambda m: replace(m, id=7))
altered("NoneAsText", ("well_formed",), lambda m: replace(m, id="None"))
altered("Forgetful", ("well_formed",), lambda m: replace(m, raw={}))
altered("Ascii", ("scripts_and_emoji",), lambda m: replace(m, text=m.text.encode("ascii", "ignore").decode()))
altered("Short", ("large_bodies",), lambda m: replace(m, text=m.text[:5000]))
altered("AllCustomers", ("speakers", "own_words"), lambda m: replace(m, author=Author.CUSTOMER))
altered("Louder", ("told_alike",), lambda m: replace(m, text=m.text + "!"))
altered(
    "Strict",
    ("nulls",),
    lambda m: replace(m, text=m.text + str(m.raw["agent"]["name"] if m.raw["agent"] else "")),
)


@seen_by("nulls")
class AllOrNothing(Mutant):
    """It stumbles over what is null."""

    manifest = Memory.manifest

    def parse(self, body: bytes) -> Sequence[Change]:
        event = json.loads(body)
        assert event.get("customer", {}).get("email", "").lower() != "nobody"
        return super().parse(body)


@seen_by("keyed")
class Keyless(Mutant):
    """No key, no lane."""

    manifest = Memory.manifest

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        return Receipt(deliveries=(Delivery(key="", lane="", body=webhook.body),))


@seen_by("strangers")
class Brittle(Mutant):
    """It breaks on what it doesn't know."""

    manifest = Memory.manifest

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        return super().receive(webhook, payload) if payload["id"] else Receipt(deliveries=())
