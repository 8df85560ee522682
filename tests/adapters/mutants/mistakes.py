"""Mistakes that integration engineers make, each with the check of the kit that must see it.

Nearly all of these would pass a first test by hand.
"""

# ruff: noqa: D102 - each overrides what the class's one line tells of

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.attachments import Upload
from adapters.contract import Adapter, Receipt, Webhook
from adapters.declared.adapter import described
from adapters.errors import AdapterError, Held, Retryable
from adapters.manifest import Field, Label, Manifest
from adapters.model import (
    CHANNELS,
    Author,
    Change,
    Channel,
    Command,
    MessagePosted,
    Note,
    Page,
    PullKind,
    Pushed,
    Reply,
    SetStatus,
)
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.mapping import STATUSES
from mutants.breaking import Mutant, altered, replace, seen_by

altered("AllPublic", ("notes_apart",), lambda m: replace(m, private=False))
altered("FloatingIds", ("well_formed",), lambda m: replace(m, id="4711.0"))
altered(
    "Milliseconds",
    ("well_formed",),
    lambda m: replace(m, sent_at=datetime.fromtimestamp(m.sent_at.timestamp() / 1000, UTC)),
)
altered(
    "Presuming",
    ("unknown_words",),
    lambda m: replace(m, author=Author.CUSTOMER) if m.author is Author.UNKNOWN else m,
)


@seen_by("notes_apart")
class Indiscreet(Mutant):
    """A note is said to the customer."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Note):
            said = command.text
            command = Reply(
                key=command.key, conversation_id=command.conversation_id, text=said, author=Author.AI
            )
        return await super().push(command, uploads)


class Laning(Mutant):
    """Those that differ in the lane."""

    manifest = Memory.manifest

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        (delivery,) = super().receive(webhook, payload).deliveries
        return Receipt(deliveries=(replace(delivery, lane=self.lane(delivery.key)),))

    def lane(self, key: str) -> str:
        return key


@seen_by("lanes")
class LanePerEvent(Laning):
    """No order in a conversation."""

    manifest = Memory.manifest


@seen_by("lanes")
class OneLane(Laning):
    """Every conversation waits for every other."""

    manifest = Memory.manifest

    def lane(self, key: str) -> str:
        return f"all, as {type(key).__name__}"


@seen_by("unknown_words")
class Complete(Mutant):
    """It knows all words that there are, today."""

    manifest = Memory.manifest

    def parse(self, body: bytes) -> Sequence[Change]:
        status = (json.loads(body).get("conversation") or {}).get("status")
        assert status is None or STATUSES[status]
        return super().parse(body)


@seen_by("asks_once")
class Insisting(Mutant):
    """It tries again by itself, without a wait that its source would show."""

    manifest = Memory.manifest

    async def call(self, method: str, path: str, **options: Any) -> Any:
        for _ in range(2):
            try:
                return await super().call(method, path, **options)
            except Held:
                raise
            except Retryable:
                continue
        return await super().call(method, path, **options)


@seen_by("words_stay")
class Logging(Mutant):
    """It logs what comes in."""

    manifest = Memory.manifest

    def parse(self, body: bytes) -> Sequence[Change]:
        logging.getLogger("acme").info("received %s", body.decode())
        return super().parse(body)


@seen_by("words_stay")
class Printing(Mutant):
    """It prints what goes out."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        print(command)  # noqa: T201 - the mistake
        return await super().push(command, uploads)


@seen_by("every_shape")
class TwoStatuses(Mutant):
    """Others break it."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, SetStatus):
            assert {"open": 2, "resolved": 5}[command.status.value]
        return await super().push(command, uploads)


@seen_by("lanes")
class Undertaker(Mutant):
    """What was deleted has a lane of its own: it may overtake the last words."""

    manifest = Memory.manifest

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        told = super().receive(webhook, payload)
        if "deleted" not in str(payload.get("type")):
            return told
        return replace(told, deliveries=tuple(replace(each, lane="deletions") for each in told.deliveries))


class Paging(Mutant):
    """Those that differ in what they say of a page."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        return await self.told(await super().pull(kind, cursor and str(cursor), scope=scope), kind)

    async def told(self, page: Page, kind: PullKind) -> Any:
        raise NotImplementedError


@seen_by("pages_end")
class NumberedCursors(Paging):
    """They can't be stored."""

    manifest = Memory.manifest

    async def told(self, page: Page, kind: PullKind) -> Any:  # noqa: ARG002 - of all kinds
        return replace(page, cursor=int(page.cursor or 0))


@seen_by("pages_end")
class Content(Paging):
    """One page of messages is enough."""

    manifest = Memory.manifest

    async def told(self, page: Page, kind: PullKind) -> Any:
        return replace(page, last=True) if kind is PullKind.MESSAGES else page


@seen_by("pages_end")
class Listing(Paging):
    """A list is no page."""

    manifest = Memory.manifest

    async def told(self, page: Page, kind: PullKind) -> Any:  # noqa: ARG002 - of all kinds
        return list(page.changes)


@seen_by("stays_home")
class Curious(Paging):
    """It looks how large the files are, wherever they are, and says who asks."""

    manifest = Memory.manifest

    async def told(self, page: Page, kind: PullKind) -> Any:
        for change in page.changes:
            for each in change.message.attachments if isinstance(change, MessagePosted) else ():
                with suppress(AdapterError):
                    await self.call("GET", each.url)
        assert kind
        return page


@seen_by("declared_commands")
class Silent(Mutant):
    """It forgets to say what came of it."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Any:
        await super().push(command, uploads)


@seen_by("understood", "keyed")
class Waiting(Mutant):
    """It makes a coroutine of what asks nobody."""

    manifest = Memory.manifest

    async def parse(self, body: bytes) -> Sequence[Change]:  # type: ignore[override]
        return super().parse(body)


def placed(*channels: Channel, fields: tuple[Field, ...] = ()) -> Manifest:
    """The manifest with other channels, and with these settings beside its own."""
    more = (*Memory.manifest.fields, *fields)
    return replace(Memory.manifest, channels=frozenset(channels), fields=more)


@seen_by("channels")
class Surprising(Mutant):
    """It declares chats, and tells of comments."""

    manifest = placed(Channel.CHAT)


@seen_by("channels")
class Presumptuous(Mutant):
    """It takes for declared what its setting may say, and tells of it unasked."""

    manifest = placed(
        *(each for each in CHANNELS if each is not Channel.LIVE),
        fields=(Field(name="where", label=Label(en="Where", zh="渠道"), type="channel", default="live"),),
    )


@seen_by("channels_shown")
class Reticent(Mutant):
    """It tells of channels, and declares none."""

    manifest = placed()


@seen_by("channels_shown")
class Placeless(Mutant):
    """It doesn't tell where people speak."""

    manifest = placed()

    async def call(self, method: str, path: str, **options: Any) -> Any:
        answer = await super().call(method, path, **options)
        return json.loads(json.dumps(answer).replace('"channel": "', '"channel": "un'))

    def parse(self, body: bytes) -> Sequence[Change]:
        return super().parse(body.replace(b'"channel": "', b'"channel": "un'))


@seen_by("channels_shown")
class OffAir(Placeless):
    """It promises broadcasts, which its mapping forgot."""

    manifest = placed(*CHANNELS)


@seen_by("channels_shown")
class Unconfigurable(Mutant):
    """A setting says where people speak, and nobody listens to it."""

    manifest = placed(
        *CHANNELS,
        fields=(Field(name="where", label=Label(en="Where", zh="渠道"), type="channel", default="chat"),),
    )


def misdescribed(*checks: str, right: str, wrong: str) -> type[Adapter]:
    """The description of the reference helpdesk with one mistake that no line of it shows."""
    text = (Path(__file__).parent.parent / "described" / "memory.yaml").read_text(encoding="utf-8")
    assert right in text, right
    with TemporaryDirectory() as folder:
        path = Path(folder) / "memory.yaml"
        path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        return seen_by(*checks)(described(path))


_MESSAGE = "/api/conversations/${query.conversation_id}/messages/${query.message_id}"
_SWAPPED = "/api/conversations/${query.message_id}/messages/${query.conversation_id}"
_SIGNATURE = """  signature:
    header: X-Memory-Signature
    prefix: sha256=
    signed: "{timestamp}.{body}"
    timestamp_header: X-Memory-Timestamp
"""
# Each passes when it is loaded: only the fixtures can show it.
misdescribed("shown", right="text: it.text", wrong="text: it.txt")
misdescribed("shown", right="      name: it.name", wrong="      name: it.file")
misdescribed("shown", right="key: event.id", wrong="key: event.uid")
misdescribed("shown", right='"customers_merged"', wrong='"customer_merged"')
misdescribed("well_formed", right="sent_at: it.created_at", wrong='sent_at: "1794657"')
misdescribed("shown", right="updated_at: it.updated_at", wrong="updated_at: it.id")
misdescribed("declared_signature", right=_SIGNATURE, wrong="")
misdescribed("pages_end", right="cursor: answer.cursor}", wrong="cursor: answer.next}")
misdescribed("pages_end", right="last: answer.last", wrong='last: "false"')
misdescribed("notes_apart", right="private: true", wrong="author: bot")
misdescribed("found", right=_MESSAGE, wrong=_SWAPPED)
