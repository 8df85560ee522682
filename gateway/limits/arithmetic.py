"""How much of a limit is used, and when the next request fits. Pure; times are whole milliseconds.

A limit is counted in slots of a sixtieth of its window. A request fits while the slots that any window
ending now could touch hold less than the limit: so no window, wherever a vendor lets its own begin, ever
holds more. `draw.lua` and `settle.lua` do the same inside Redis; one test suite runs against both.
"""

from collections.abc import Iterator

from msgspec import Struct, field

SLOTS = 60


class Rule(Struct, frozen=True, kw_only=True):
    """So many requests in a window. `cap` is the operator's own, which the vendor's word never widens."""

    requests: int
    window: int
    cap: int | None = None

    @property
    def slot(self) -> int:
        """The length of a slot."""
        return -(-self.window // SLOTS)

    @property
    def span(self) -> int:
        """How many slots a window can touch."""
        return -(-self.window // self.slot) + 1


class Told(Struct, frozen=True, kw_only=True):
    """What a vendor's answer says about a limit; `reset` and `closed_for` are durations from now."""

    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    closed_for: int = 0


class Bucket(Struct):
    """What is known of one limit: our requests by slot, what others used, until when it is closed."""

    slots: dict[int, int] = field(default_factory=dict)
    limit: int | None = None
    foreign: int = 0
    foreign_until: int = 0
    closed_until: int = 0


class Level(Struct, frozen=True, kw_only=True):
    """How full a bucket is."""

    limit: int
    used: int
    closed_for: int = 0
    empty_in: int | None = None
    """Until nothing is left, if it goes on as in the last quarter of the window; `None` if that never is."""

    @property
    def remaining(self) -> int:
        """What is left now."""
        return max(0, self.limit - self.used)


def limit_of(bucket: Bucket, rule: Rule) -> int:
    """The account's limit: the vendor's latest word, else the declared one."""
    return rule.requests if bucket.limit is None else bucket.limit


def ours_of(bucket: Bucket, rule: Rule) -> int:
    """How much of the account's limit we may use."""
    limit = limit_of(bucket, rule)
    return limit if rule.cap is None else min(rule.cap, limit)


def own_use(bucket: Bucket, rule: Rule, now: int) -> int:
    """Our requests in any window that ends now."""
    first = now // rule.slot - rule.span
    return sum(count for index, count in bucket.slots.items() if index > first)


def wait_for(bucket: Bucket, rule: Rule, now: int, *, reserved: int = 0, share: int = 1) -> int:
    """How long until one request fits; 0 means now.

    `reserved` per cent of the limit are left to others; `share` is among how many processes what is
    left is divided, where each counts only for itself.
    """
    total = max(1, limit_of(bucket, rule) * (100 - reserved) // 100)
    own_most = max(1, max(1, ours_of(bucket, rule) * (100 - reserved) // 100) // share)
    own, foreign = own_use(bucket, rule, now), bucket.foreign if bucket.foreign_until > now else 0
    at = now
    for moment, ours, theirs in _releases(bucket, rule, now):
        if own < own_most and own + foreign < total:
            break
        own, foreign, at = own - ours, foreign - theirs, moment
    return max(at, bucket.closed_until) - now


def _releases(bucket: Bucket, rule: Rule, now: int) -> Iterator[tuple[int, int, int]]:
    """When how much of ours and of others' use will be over, soonest first."""
    first = now // rule.slot - rule.span
    releases = [
        ((index + rule.span) * rule.slot, count, 0) for index, count in bucket.slots.items() if index > first
    ]
    if bucket.foreign_until > now:
        releases.append((bucket.foreign_until, 0, bucket.foreign))
    yield from sorted(releases)


def spend(bucket: Bucket, rule: Rule, now: int) -> None:
    """Count one request, and forget what is over."""
    index = now // rule.slot
    bucket.slots = {i: n for i, n in bucket.slots.items() if i > index - rule.span and n > 0}
    bucket.slots[index] = bucket.slots.get(index, 0) + 1


def settle(bucket: Bucket, rule: Rule, now: int, *, paid_at: int) -> None:
    """Count an answered request from its answer: the vendor counted it at some moment before."""
    paid, index = paid_at // rule.slot, now // rule.slot
    if paid == index:
        return
    if bucket.slots.get(paid, 0) > 0:
        bucket.slots[paid] -= 1
    bucket.slots[index] = bucket.slots.get(index, 0) + 1


def correct(bucket: Bucket, rule: Rule, told: Told, now: int) -> None:
    """Believe the vendor: its limit, what others have used of it, and until when it is closed."""
    if told.limit is not None:
        bucket.limit = told.limit
    if told.remaining is not None:
        theirs = limit_of(bucket, rule) - told.remaining
        bucket.foreign = max(0, theirs - own_use(bucket, rule, now))
        bucket.foreign_until = now + min(rule.window if told.reset is None else told.reset, rule.window)
    if told.closed_for:
        bucket.closed_until = max(bucket.closed_until, now + told.closed_for)


def level(bucket: Bucket, rule: Rule, now: int) -> Level:
    """How full it is, and when it will be empty at the pace of the last quarter of the window."""
    foreign = bucket.foreign if bucket.foreign_until > now else 0
    return Level(
        limit=ours_of(bucket, rule),
        used=own_use(bucket, rule, now) + foreign,
        closed_for=max(0, bucket.closed_until - now),
        empty_in=_empty_in(bucket, rule, now),
    )


def _empty_in(bucket: Bucket, rule: Rule, now: int) -> int | None:
    limit, index = ours_of(bucket, rule), now // rule.slot
    recent = SLOTS // 4
    pace = sum(n for i, n in bucket.slots.items() if index - recent < i <= index) / recent
    for ahead in range(rule.span + 1):
        moment = now + ahead * rule.slot
        foreign = bucket.foreign if bucket.foreign_until > moment else 0
        if own_use(bucket, rule, moment) + foreign + pace * ahead >= limit:
            return moment - now
    return None
