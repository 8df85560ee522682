"""What a run says of itself: counts, waits, every violation with its story, one last line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from tests.faults.checker import Promise, Violation, unclear
from tests.faults.evidence import Evidence
from tests.faults.plan import Kind
from tests.faults.threads import Entry, Thread, threads_of

NEARBY = timedelta(seconds=20)
STORIES_SHOWN = 12


class Result(Struct, frozen=True, kw_only=True):
    """A run that is over."""

    seed: int
    evidence: Evidence
    violations: list[Violation]
    planned: frozenset[Kind]
    waits: list[float]
    """How long the customers who waited for a word had to, in seconds."""
    gave_up: int
    directory: str

    @property
    def strikes(self) -> Counter[str]:
        """How often each kind of fault struck."""
        return strikes(self.evidence)

    @property
    def missing(self) -> list[str]:
        """The kinds that were to strike and never did."""
        return sorted(kind.value for kind in self.planned if not self.strikes[kind.value])

    @property
    def good(self) -> bool:
        """Whether every promise was kept, and tried by every kind of fault."""
        return not self.violations and not self.missing

    @property
    def last_line(self) -> str:
        """The run in one line."""
        by_promise = Counter(violation.promise for violation in self.violations)
        others = sum(by_promise[each] for each in (Promise.ORDER, Promise.ECHO, Promise.PARKED))
        line = (
            f"{len(threads_of(self.evidence))} conversations, {self.strikes.total()} faults, "
            f"{by_promise[Promise.LOST]} lost, {by_promise[Promise.DOUBLED]} doubled, "
            f"{by_promise[Promise.SECOND_VOICE]} second voices"
        )
        return f"{line}, {others} other violations" if others else line


def strikes(evidence: Evidence) -> Counter[str]:
    """How often each kind of fault struck: ours as injected, the vendors' as their own logs say."""
    counts = Counter(each.kind for each in evidence.struck)
    for log in evidence.vendors:
        counts += Counter(request.fault for request in log.requests if request.fault)
        counts += Counter({(d.event, d.fault): d.fault for d in log.deliveries if d.fault}.values())
    return counts


def render(result: Result) -> Iterator[str]:
    """The whole report, line by line."""
    threads = threads_of(result.evidence)
    yield from _counts(result, threads)
    told = {(each.connection, each.id): each for each in threads}
    shown: set[tuple[str, str]] = set()
    for violation in result.violations:
        where = (violation.connection, violation.conversation_id)
        yield f"{violation.promise.value.upper()} in {'/'.join(where)}: {violation.what}"
        if where in told and where not in shown and len(shown) < STORIES_SHOWN:
            shown.add(where)
            yield from (f"    {line}" for line in story(told[where], result.evidence))
    for kind in result.missing:
        yield f"NEVER INJECTED: {kind}"
    if not result.good:
        yield f"the processes' logs lie in {result.directory}"
        yield f"play it again: --seed {result.seed} (and the same minutes and conversations)"
    yield result.last_line


def _counts(result: Result, threads: Sequence[Thread]) -> Iterator[str]:
    yield "faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(result.strikes.items()))
    deeds = Counter(deed.action for deed in result.evidence.deeds if deed.done)
    yield "at the desk: " + ", ".join(f"{action} {count}" for action, count in sorted(deeds.items()))
    entries = [entry for thread in threads for entry in thread.entries]
    people = sum(len(thread.takings()) for thread in threads)
    never = sum(entry.by_customer and entry.known_at is None for entry in entries)
    polled = sum(entry.by_customer and entry.told_at is None for entry in entries) - never
    customers, ai = sum(entry.by_customer for entry in entries), sum(entry.by_ai for entry in entries)
    yield f"messages: {customers} of customers, {ai} of the AI; {people} times an agent took over"
    yield (
        f"{polled} messages left to polling; not counted: {never} that nobody told us of, "
        f"{sum(map(unclear, threads))} told in another order than they happened"
    )
    for connection, conversation, why in result.evidence.parked:
        yield f"parked: {connection}/{conversation}: {why}"
    yield f"customers who waited for a word: {_spread(result.waits)}; {result.gave_up} gave up"


def _spread(waits: Sequence[float]) -> str:
    if not waits:
        return "none"
    ordered = sorted(waits)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99, 1.0)]
    return "{} ({:.1f} s median, {:.1f} s p95, {:.1f} s p99, {:.1f} s at worst)".format(len(waits), *at)


def story(thread: Thread, evidence: Evidence) -> Iterator[str]:
    """What happened in a conversation, in real time; and what befell us meanwhile."""
    lines = [(entry.what.at, _told(entry)) for entry in thread.entries]
    lines += [
        (r.at, f"  request {r.method} {r.path} {r.body} → {r.status} {r.fault or ''}")
        for r in thread.requests
    ]
    for deed in thread.deeds:
        lines.append((deed.asked_at, f"  desk asks {deed.action} {deed.text}"))
        if deed.answered_at is not None:
            lines.append((deed.answered_at, f"  desk is answered {deed.status} to {deed.action} {deed.text}"))
    if not lines:
        return
    first, last = min(lines)[0] - NEARBY, max(lines)[0] + NEARBY
    lines += _befell(evidence, first, last)
    yield from (f"{at:%H:%M:%S.%f} {line}" for at, line in sorted(lines))


def _befell(evidence: Evidence, first: datetime, last: datetime) -> Iterable[tuple[datetime, str]]:
    return [(s.at, f"  ✗ {s.kind} {s.target}") for s in evidence.struck if first <= s.at <= last]


def _told(entry: Entry) -> str:
    what = entry.what
    said = f"{what.message.author}: {what.message.text!r}" if what.message else f"{what.type} by {what.by}"
    private = " (private)" if what.message and what.message.private else ""
    heard = f"told {entry.told_at:%H:%M:%S.%f}" if entry.told_at else "never told"
    return f"{said}{private} [{what.status}, {what.assignee_id or 'nobody'}] {heard}"
