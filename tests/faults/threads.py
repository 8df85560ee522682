"""One conversation as its vendor saw it, put together from the log. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field

from adapters.vendors.memory.records import Happened, RequestLog
from tests.faults.evidence import Deed, Evidence, VendorLog


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that happened, at its place in the vendor's order.

    `told_at`: when the gateway first acknowledged the webhook that told of it; `None`: it never did.
    """

    place: int
    what: Happened
    told_at: datetime | None
    known_at: datetime | None
    """When we knew of it at the latest: told of it, or, where that never came, by polling.

    Polling finds messages; of a state that has passed since, nobody can know who was never told.
    """
    asked_at: datetime | None = None
    """When the request that wrote this message reached the vendor, where it was one of ours."""

    @property
    def by_customer(self) -> bool:
        """The customer wrote."""
        return self.what.message is not None and self.what.message.author == "customer"

    @property
    def by_ai(self) -> bool:
        """Our AI spoke to the customer."""
        message = self.what.message
        return message is not None and message.author == "bot" and not message.private

    @property
    def by_person(self) -> bool:
        """A person spoke to the customer: in the helpdesk's window, or at our desk."""
        message = self.what.message
        return message is not None and message.author == "agent" and not message.private

    @property
    def at_the_helpdesk(self) -> bool:
        """Whether it was not done by our commands."""
        message = self.what.message
        return message.token is None if message else self.what.by != "bot"

    @property
    def moved_to(self) -> str | None:
        """The status, where this is a change of the conversation and no message."""
        return self.what.status if self.what.type == "conversation_changed" else None


class Thread(Struct, kw_only=True):
    """A conversation with all that concerns it."""

    connection: str
    id: str
    entries: list[Entry] = field(default_factory=list)
    requests: list[RequestLog] = field(default_factory=list)
    """What we asked the vendor in it, in order."""
    deeds: list[Deed] = field(default_factory=list)

    def takings(self) -> list[Entry]:
        """What took the conversation into a person's hands at the helpdesk."""
        return [
            entry
            for before, entry in zip([None, *self.entries], self.entries, strict=False)
            if _takes(before, entry)
        ]


def _takes(before: Entry | None, entry: Entry) -> bool:
    if not entry.at_the_helpdesk or entry.by_customer:
        return False
    if entry.by_person:
        return True
    if entry.what.by != "agent" or before is None or entry.moved_to is None:
        return False
    assigned = entry.what.assignee_id is not None and entry.what.assignee_id != before.what.assignee_id
    opened = entry.moved_to == "open" and before.what.status == "pending"
    return assigned or opened


def threads_of(evidence: Evidence) -> list[Thread]:
    """Every conversation of a run."""
    found: list[Thread] = []
    for log in evidence.vendors:
        deeds = [deed for deed in evidence.deeds if deed.connection == log.name]
        found += _of_vendor(log, deeds, polled_within=evidence.polled_within)
    return found


def _of_vendor(log: VendorLog, deeds: Iterable[Deed], *, polled_within: timedelta | None) -> Iterable[Thread]:
    told: dict[str, datetime] = {}
    for delivery in log.deliveries:
        if 200 <= delivery.status < 300:
            told.setdefault(delivery.event, delivery.at)
    requests, by_token = _writes(log)
    threads: dict[str, Thread] = {}
    for place, what in enumerate(log.happened):
        if what.conversation_id is None:
            continue
        thread = threads.setdefault(
            what.conversation_id, Thread(connection=log.name, id=what.conversation_id)
        )
        token = what.message.token if what.message else None
        asked_at = _asked(by_token.get(token, []), what.at) if token else None
        told_at = told.get(what.event)
        polled = told_at is None and polled_within is not None and what.message is not None
        known_at = what.at + polled_within if polled and polled_within is not None else told_at
        thread.entries.append(
            Entry(place=place, what=what, told_at=told_at, known_at=known_at, asked_at=asked_at)
        )
    for thread in threads.values():
        thread.requests = requests.get(thread.id, [])
    for deed in deeds:
        where = deed.conversation_id
        threads.setdefault(where, Thread(connection=log.name, id=where)).deeds.append(deed)
    return threads.values()


def _writes(log: VendorLog) -> tuple[dict[str, list[RequestLog]], dict[str, list[datetime]]]:
    """What we asked the vendor: by conversation; and when we asked it to write, by token."""
    requests: dict[str, list[RequestLog]] = defaultdict(list)
    by_token: dict[str, list[datetime]] = defaultdict(list)
    for request in log.requests:
        parts = request.path.split("/")
        if parts[2:3] != ["conversations"] or len(parts) == 3:
            continue
        requests[parts[3]].append(request)
        token = request.body.get("token") if isinstance(request.body, dict) else None
        if token:
            by_token[token].append(request.at)
    return requests, by_token


def _asked(times: list[datetime], at: datetime) -> datetime | None:
    """The last of these times that isn't after `at`: that request wrote it."""
    index = bisect_right(times, at)
    return times[index - 1] if index else None
