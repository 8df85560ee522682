"""Mistakes that integration engineers make, each with the check of the kit that must see it.

More mutants, beside those of `mutants`: nearly all of these would pass a first test by hand.
"""

# ruff: noqa: D102 - each overrides what the class's one line tells of

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from mutants import Mutant, altered, replace, seen_by

from adapters.attachments import Upload
from adapters.contract import Receipt, Webhook
from adapters.errors import AdapterError, Held, Retryable
from adapters.model import (
    Author,
    Change,
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
