"""The arithmetic of limits: what fits, what is kept for others, when it is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import arithmetic
from gateway.limits.arithmetic import Bucket, Rule, Told, wait_for
from sync.priority import RESERVED, Priority

MINUTE = 60_000
NOW = 1_700_000_000_000


def drain(bucket: Bucket, rule: Rule, now: int, *, reserved: int = 0, share: int = 1) -> int:
    """Spend as long as it fits; how many did."""
    count = 0
    while wait_for(bucket, rule, now, reserved=reserved, share=share) == 0:
        arithmetic.spend(bucket, rule, now)
        count += 1
    return count


@given(
    limit=st.integers(1, 40),
    window=st.integers(1, 100_000),
    steps=st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 8)), max_size=60),
    priorities=st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=20),
)
def test_no_window_ever_holds_more_than_the_limit(
    limit: int, window: int, steps: list[tuple[int, int]], priorities: list[Priority]
) -> None:
    """Wherever a window of the vendor's begins; and a class never goes beyond what is its own."""
    rule, bucket, now = Rule(requests=limit, window=window), Bucket(), NOW
    granted: list[int] = []
    for number, (pause, burst) in enumerate(steps):
        now += pause
        priority = priorities[number % len(priorities)]
        for _ in range(burst):
            if wait_for(bucket, rule, now, reserved=RESERVED[priority]) == 0:
                used = sum(1 for at in granted if at > now - window)
                assert used == 0 or used < limit * (100 - RESERVED[priority]) // 100
                arithmetic.spend(bucket, rule, now)
                granted.append(now)
    for last in granted:
        assert sum(1 for at in granted if last - window < at <= last) <= limit


@given(
    limit=st.integers(1, 200),
    window=st.integers(60, 100_000),
    used=st.lists(st.integers(0, 100_000), max_size=40),
    reserved=st.sampled_from(list(RESERVED.values())),
)
def test_the_wait_is_true(limit: int, window: int, used: list[int], reserved: int) -> None:
    """After it one request fits; a slot's length before it, none."""
    rule, bucket = Rule(requests=limit, window=window), Bucket()
    for ago in sorted(used, reverse=True):
        arithmetic.spend(bucket, rule, NOW - ago)
    wait = wait_for(bucket, rule, NOW, reserved=reserved)
    assert wait <= window + 2 * rule.slot
    assert wait_for(bucket, rule, NOW + wait, reserved=reserved) == 0
    if wait > rule.slot:
        assert wait_for(bucket, rule, NOW + wait - rule.slot, reserved=reserved) > 0


def test_every_class_finds_what_is_kept_for_it() -> None:
    """Export stops first, then backfill, fields, status, hand-off; a reply has it all."""
    rule, bucket = Rule(requests=100, window=MINUTE), Bucket()
    taken = [drain(bucket, rule, NOW, reserved=RESERVED[each]) for each in sorted(Priority, reverse=True)]
    assert taken == [40, 10, 15, 15, 10, 10]


def test_a_limit_of_one_serves_every_class() -> None:
    """Reserving a part of it would leave nobody anything."""
    rule, bucket = Rule(requests=1, window=1000), Bucket()
    assert drain(bucket, rule, NOW, reserved=RESERVED[Priority.EXPORT]) == 1


def test_the_vendor_knows_better() -> None:
    """Its limit replaces ours; what others used of it is used, until its window is over."""
    rule, bucket = Rule(requests=700, window=MINUTE), Bucket()
    arithmetic.spend(bucket, rule, NOW)
    arithmetic.correct(bucket, rule, Told(limit=200, remaining=150, reset=20_000), NOW)
    assert drain(bucket, rule, NOW) == 150
    assert wait_for(bucket, rule, NOW) == 20_000
    assert drain(bucket, rule, NOW + 20_000) == 49


def test_an_operators_own_limit_is_never_widened() -> None:
    """The rest of the account's is for somebody else, whose use doesn't count against it."""
    rule, bucket = Rule(requests=50, cap=50, window=MINUTE), Bucket()
    arithmetic.correct(bucket, rule, Told(limit=700, remaining=100), NOW)
    assert drain(bucket, rule, NOW) == 50


def test_a_refusal_closes_it_until_the_vendors_time() -> None:
    """For everybody, replies too."""
    rule, bucket = Rule(requests=100, window=MINUTE), Bucket()
    arithmetic.correct(bucket, rule, Told(closed_for=30_000), NOW)
    assert wait_for(bucket, rule, NOW) == 30_000
    assert wait_for(bucket, rule, NOW + 30_000) == 0


def test_a_slow_answer_counts_from_when_it_came() -> None:
    """The vendor may have counted it as late as that."""
    rule, bucket = Rule(requests=1, window=MINUTE), Bucket()
    arithmetic.spend(bucket, rule, NOW)
    arithmetic.settle(bucket, rule, NOW + 9000, paid_at=NOW)
    assert wait_for(bucket, rule, NOW + MINUTE + 1000) > 7000


def test_processes_that_count_for_themselves_keep_to_their_part() -> None:
    """Together they never exceed the limit."""
    rule = Rule(requests=100, window=MINUTE)
    assert [drain(Bucket(), rule, NOW, share=share) for share in (1, 3, 4, 1000)] == [100, 33, 25, 1]


@pytest.mark.parametrize(("per_second", "empty_after"), [(1, None), (2, 30), (4, 5)])
def test_the_forecast_says_when_nothing_will_be_left(per_second: int, empty_after: int | None) -> None:
    """At the pace of the last quarter of the window; never, if as much comes back as goes."""
    rule, bucket = Rule(requests=100, window=MINUTE), Bucket()
    start = NOW - NOW % 1000
    for second in range(20):
        for _ in range(per_second):
            arithmetic.spend(bucket, rule, start + second * 1000)
    found = arithmetic.level(bucket, rule, start + 19_000).empty_in
    assert found == (None if empty_after is None else empty_after * 1000)
