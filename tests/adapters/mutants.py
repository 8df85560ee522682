"""Adapters that are broken on purpose, each in one way, and the check of the kit that must see it."""

# ruff: noqa: ARG002, D102 - each overrides what the class's one line tells of

import asyncio
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.attachments import Fetch, Upload
from adapters.contract import Adapter, Delivery, Receipt, Webhook
from adapters.errors import (
    AdapterError,
    BadSignature,
    Held,
    Rejected,
    Retryable,
    Unsupported,
    WebhookRefused,
)
from adapters.manifest import Capability, Settings
from adapters.model import (
    Attachment,
    Author,
    Change,
    Command,
    ConversationRecord,
    CustomerChanged,
    Found,
    MessagePosted,
    Note,
    Page,
    PullKind,
    Pushed,
    Query,
    Reply,
)
from adapters.signatures import Signature, sign
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.records import SIGNATURE

replace = msgspec.structs.replace
MUTANTS: dict[str, list[type[Adapter]]] = {}
"""The mutants that each check must kill."""


def seen_by(*checks: str) -> Callable[[type[Adapter]], type[Adapter]]:
    """Say which checks must fail for this adapter."""

    def enter(mutant: type[Adapter]) -> type[Adapter]:
        for each in checks:
            MUTANTS.setdefault(each, []).append(mutant)
        return mutant

    return enter


class Mutant(Memory):
    """The reference helpdesk's adapter; what follows differs from it in one thing."""

    manifest = Memory.manifest


def able(*capabilities: Capability, without: tuple[Capability, ...] = ()) -> Any:
    """The manifest with other capabilities."""
    changed = Memory.manifest.capabilities | set(capabilities) - set(without)
    return replace(Memory.manifest, capabilities=frozenset(changed - set(without)))


@seen_by("manifest")
class NoReadme(Mutant):
    """There is no README beside this file."""

    manifest = Memory.manifest


@seen_by("exemptions")
class VagueExemption(Mutant):
    """An exemption without a reason."""

    manifest = replace(Memory.manifest, exemptions={"nulls": "later"})


@seen_by("exemptions")
class MisspeltExemption(Mutant):
    """An exemption from nothing."""

    manifest = replace(Memory.manifest, exemptions={"nuls": "The vendor never sends any, we were told."})


@seen_by("settings")
class NoAddress(Mutant):
    """Paths that lead nowhere."""

    manifest = Memory.manifest

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        return {"headers": {"Authorization": settings["token"]}}


@seen_by("declared_signature")
class Unsigned(Mutant):
    """Anybody may speak for the vendor."""

    manifest = Memory.manifest
    signature: ClassVar[Signature | None] = None


@seen_by("declared_signature")
class StrangeSecret(Mutant):
    """The secret is in a field that isn't there."""

    manifest = replace(Memory.manifest, fields=Memory.manifest.fields[:2])


@seen_by("only_a_translator")
class Waits(Mutant):
    """It has a retry of its own."""

    manifest = Memory.manifest

    async def check(self) -> str:
        await asyncio.sleep(0)
        return await super().check()


@seen_by("useful", "complete")
class Mute(Mutant):
    """It can't find its replies."""

    manifest = able(without=(Capability.FIND_MESSAGE,))


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


def altered(mutant: str, checks: tuple[str, ...], alter: Callable[[Any], Any]) -> None:
    """A mutant that alters every message it reads from a webhook."""

    def parse(self: Adapter, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(change, message=alter(change.message)) if isinstance(change, MessagePosted) else change
            for change in Memory.parse(self, body)  # type: ignore[arg-type]
        )

    seen_by(*checks)(type(mutant, (Mutant,), {"manifest": Memory.manifest, "parse": parse}))


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


class Pulling(Mutant):
    """Those that differ in a page."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        return self.altered(await super().pull(kind, cursor, scope=scope))

    def altered(self, page: Page) -> Page:
        return page


@seen_by("nulls_in_answers")
class NeedsEmails(Pulling):
    """It takes everybody to have an address."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, cursor, scope=scope)
        assert all(
            each.customer.raw["email"].lower() for each in page.changes if isinstance(each, CustomerChanged)
        )
        return page


@seen_by("nulls_in_answers")
class NeedsTags(Mutant):
    """It takes every conversation that it finds to have a tag."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        found = await super().find(query)
        assert not isinstance(found, ConversationRecord) or found.raw["tags"][0].lower()
        return found


@seen_by("pages_end")
class Circling(Pulling):
    """Always the same cursor."""

    manifest = Memory.manifest

    def altered(self, page: Page) -> Page:
        return replace(page, cursor="0")


@seen_by("pages_end")
class NewestFirst(Pulling):
    """The wrong way round."""

    manifest = Memory.manifest

    def altered(self, page: Page) -> Page:
        return replace(page, changes=page.changes[::-1])


@seen_by("pages_resume")
class Stateful(Pulling):
    """It knows where it was, until it is another process."""

    manifest = Memory.manifest
    _cursor: str | None = None

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, self._cursor if cursor else None, scope=scope)
        self._cursor = page.cursor
        return page


@seen_by("one_page_at_a_time")
class Walking(Pulling):
    """It walks to the end by itself."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, cursor, scope=scope)
        for _ in range(30):
            if page.last:
                break
            more = await super().pull(kind, page.cursor, scope=scope)
            page = replace(more, changes=page.changes + more.changes)
        return page


@seen_by("found")
class Blind(Mutant):
    """It finds nothing."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        return None


@seen_by("not_found")
class Complaining(Mutant):
    """What isn't there is an error."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        found = await super().find(query)
        if found is None:
            raise Rejected("not there")
        return found


@seen_by("unknown_command")
class Obliging(Mutant):
    """It does what it doesn't know."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        try:
            return await super().push(command, uploads)
        except Unsupported:
            return Pushed()


@seen_by("unknown_query")
class Knowing(Mutant):
    """It answers what it doesn't know."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        try:
            return await super().find(query)
        except Unsupported:
            return None


@seen_by("declared_commands")
class Boasting(Mutant):
    """It declares what it can't."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Note):
            raise Unsupported("no notes after all")
        return await super().push(command, uploads)


class Speaking(Mutant):
    """Those that differ in a reply."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Reply | Note):
            command = replace(command, text=self.spoken(command.text))
        return await super().push(command, uploads)

    def spoken(self, text: str) -> str:
        return text


@seen_by("words_arrive")
class Escaping(Speaking):
    """It makes entities of letters."""

    manifest = Memory.manifest

    def spoken(self, text: str) -> str:
        return text.encode("ascii", "xmlcharrefreplace").decode()


@seen_by("long_replies")
class Cutting(Speaking):
    """It cuts what is long."""

    manifest = Memory.manifest

    def spoken(self, text: str) -> str:
        return text[:4000]


@seen_by("own_words")
class Unmarked(Mutant):
    """It forgets the id of what it said."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        return replace(await super().push(command, uploads), id="another")

    def parse(self, body: bytes) -> Sequence[Change]:
        return super().parse(body.replace(b'"token": "', b'"token": "x-'))


@seen_by("files_come")
class Fileless(Mutant):
    """It declares files and shows none."""

    manifest = able(Capability.ATTACHMENTS)

    def parse(self, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(each, message=replace(each.message, attachments=()))
            if isinstance(each, MessagePosted)
            else each
            for each in super().parse(body)
        )


altered_file = Attachment(id="1", url="https://files.example/a.png", name="a.png")


@seen_by("files_come")
class Spilling(Mutant):
    """It gives its token to whoever has an address."""

    manifest = able(Capability.ATTACHMENTS)

    def parse(self, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(each, message=replace(each.message, attachments=(altered_file,)))
            if isinstance(each, MessagePosted)
            else each
            for each in super().parse(body)
        )

    def fetch(self, attachment: Attachment) -> Fetch:
        return Fetch(url=attachment.url, headers={"Authorization": self.settings["token"]})


@seen_by("files_go")
class Dropping(Mutant):
    """It forgets the files."""

    manifest = able(Capability.SEND_ATTACHMENTS)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Reply):
            command = replace(command, attachments=())
        return await super().push(command)


def complaining(mutant: str, checks: tuple[str, ...], complain: Callable[[int], AdapterError | None]) -> None:
    """A mutant that takes a status for something else."""

    def complaint(_: Adapter, __: Any, response: httpx.Response) -> AdapterError | None:
        return complain(response.status_code)

    members = {"manifest": Memory.manifest, "complaint": complaint}
    seen_by(*checks)(type(mutant, (Mutant,), members))


complaining("Stubborn", ("refused_credentials",), lambda s: Retryable("again") if s == 401 else None)
complaining("Insistent", ("refused_requests",), lambda s: Retryable("again") if s == 422 else None)
complaining("Degrading", ("refused_requests",), lambda s: Unsupported("no") if s == 400 else None)
complaining("Impatient", ("too_many",), lambda s: Retryable("again") if s == 429 else None)
complaining("Resigned", ("vendor_down",), lambda s: Rejected("no") if s == 503 else None)
complaining("Certain", ("vendor_down",), lambda s: Retryable("again") if s == 500 else None)
complaining("Breaking", ("vendor_down",), lambda s: WebhookRefused("?") if s == 502 else None)


@seen_by("connection_broken", "held_back")
class Swallowing(Mutant):
    """It makes something else of what it doesn't like."""

    manifest = Memory.manifest

    async def call(self, method: str, path: str, **options: Any) -> Any:
        try:
            return await super().call(method, path, **options)
        except Held as error:
            raise Rejected("held") from error
        except Retryable as error:
            raise Retryable(error.detail, status=error.status, retry_after=error.retry_after) from error


@seen_by("secrets_stay")
class Talkative(Mutant):
    """It shows all that it knows."""

    manifest = Memory.manifest

    def __repr__(self) -> str:
        return f"Talkative({self.settings['token']})"


@seen_by("requests_valid")
class Undescribed(Mutant):
    """Nobody says what the vendor takes."""

    manifest = replace(Memory.manifest, exemptions={})


FIXTURES = Path(__file__).parents[2] / "adapters" / "vendors" / "memory" / "fixtures"
