"""Adapters that trust the wrong webhooks, or not the right ones."""

# ruff: noqa: ARG002, D102 - each overrides what the class's one line tells of

import json
from typing import Any, ClassVar

from adapters.contract import Receipt, Webhook
from adapters.errors import BadSignature
from adapters.manifest import Settings
from adapters.signatures import Signature, sign
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.records import SIGNATURE
from mutants.breaking import Mutant, replace, seen_by


@seen_by("credentials")
class Credulous(Mutant):
    """It takes the credentials for good."""

    manifest = Memory.manifest

    async def check(self) -> str:
        return "me"


@seen_by("signature_good")
class Distrustful(Mutant):
    """It refuses everybody."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        raise BadSignature("no")


@seen_by("signature_missing")
class Trusting(Mutant):
    """Whoever doesn't sign needs no signature."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        if not webhook.headers.get("x-memory-signature"):
            return self.receive(webhook, json.loads(webhook.body))
        return super().verify(webhook, now=now)


@seen_by("signature_tampered")
class ReadsFirst(Mutant):
    """It judges what it has read and written again, not what was sent."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        tidy = webhook.body.strip()
        return super().verify(replace(webhook, body=tidy), now=now)


@seen_by("signature_stale")
class Timeless(Mutant):
    """The age of a webhook is nothing to it."""

    manifest = Memory.manifest
    signature: ClassVar[Signature | None] = replace(SIGNATURE, signed="{body}")


@seen_by("signature_rotated")
class OneSecret(Mutant):
    """It knows the first secret only."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        first = self.settings["webhook_secret"]
        fields = {"base_url": "https://v.example", "token": "t", "webhook_secret": first}
        self.settings = Settings(self.manifest, fields)
        return super().verify(webhook, now=now)


@seen_by("signature_variants")
class Generous(Mutant):
    """It tries what it can think of."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        try:
            return super().verify(webhook, now=now)
        except BadSignature:
            with_sha1 = replace(SIGNATURE, algorithm="sha1")
            for secret in self.settings.secrets("webhook_secret"):
                if sign(with_sha1, webhook, secret, at=now).headers == webhook.headers:
                    return self.receive(webhook, json.loads(webhook.body))
            raise


@seen_by("signature_strongest")
class Downgraded(Mutant):
    """A good weak signature will do."""

    manifest = Memory.manifest
    signature: ClassVar[Any] = (
        SIGNATURE,
        Signature(header="X-Old", method="digest", signed="{secret}{body}"),
    )

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        try:
            return super().verify(webhook, now=now)
        except BadSignature:
            kept = {name: value for name, value in webhook.headers.items() if name != "x-memory-signature"}
            return super().verify(replace(webhook, headers=kept), now=now)


@seen_by("signature_known")
class NoSeparator(Mutant):
    """It declares a signature that is like itself, and not like the vendor's."""

    manifest = Memory.manifest
    signature: ClassVar[Signature | None] = replace(SIGNATURE, signed="{timestamp}{body}")
