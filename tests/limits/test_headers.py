"""What vendors' headers say about their limits, as they really write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from adapters.errors import InvalidSettings
from adapters.manifest import LimitHeaders, Manifest
from adapters.registry import get
from config.settings import ConnectionSettings
from gateway.limits.arithmetic import Rule, Told
from gateway.limits.endpoints import Budget, budgets_of
from gateway.limits.headers import read, refused

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
UNIX = int(NOW.timestamp())
USUAL = LimitHeaders(limit="X-RateLimit-Limit", remaining="X-RateLimit-Remaining", reset="X-RateLimit-Reset")


@pytest.mark.parametrize(
    ("named", "headers", "told"),
    [
        (
            LimitHeaders(limit="X-Rate-Limit", remaining="X-Rate-Limit-Remaining", reset="RateLimit-Reset"),
            {"x-rate-limit": "700", "x-rate-limit-remaining": "699", "ratelimit-reset": "41"},
            Told(limit=700, remaining=699, reset=41_000),
        ),
        (
            LimitHeaders(packed="Zendesk-RateLimit-Tickets-Update"),
            {"zendesk-ratelimit-tickets-update": "total=100; remaining=92; resets=16"},
            Told(limit=100, remaining=92, reset=16_000),
        ),
        (
            LimitHeaders(packed="X-Gorgias-Account-Api-Call-Limit"),
            {"x-gorgias-account-api-call-limit": "12/40"},
            Told(limit=40, remaining=28),
        ),
        (
            USUAL,
            {"x-ratelimit-limit": "167", "x-ratelimit-reset": str(UNIX + 7)},
            Told(limit=167, reset=7000),
        ),
        (USUAL, {"x-ratelimit-reset": str((UNIX + 7) * 1000)}, Told(reset=7000)),
        (USUAL, {"x-ratelimit-reset": str(UNIX - 7)}, Told(reset=0)),
        (USUAL, {"x-ratelimit-remaining": "many"}, Told()),
        (USUAL, {}, Told()),
    ],
    ids=["zendesk", "zendesk-update", "gorgias", "intercom", "milliseconds", "past", "nonsense", "silent"],
)
def test_vendors_tell_of_their_limits(named: LimitHeaders, headers: dict[str, str], told: Told) -> None:
    """Zendesk and Intercom as recorded, Gorgias as documented; what can't be read was not told."""
    assert read(httpx.Headers(headers), named, NOW) == told


RULES = {"all": Rule(requests=700, window=60_000), "updates": Rule(requests=100, window=60_000)}


@pytest.mark.parametrize(
    ("told", "wish", "closed"),
    [
        ({"all": Told(remaining=300), "updates": Told(remaining=0)}, timedelta(seconds=9), {"updates": 9001}),
        ({"all": Told(), "updates": Told()}, timedelta(seconds=9), {"all": 9001, "updates": 9001}),
        ({"all": Told(remaining=0, reset=16_000), "updates": Told()}, None, {"all": 16_001}),
        ({"all": Told(), "updates": Told()}, None, {"all": 5000, "updates": 5000}),
    ],
    ids=["named", "unnamed", "reset", "nothing told"],
)
def test_a_refusal_closes_what_is_used_up(
    told: dict[str, Told], wish: timedelta | None, closed: dict[str, int]
) -> None:
    """The limits that the answer shows empty, else all that the request drew from."""
    found = refused(told, RULES, wish)
    assert {name: each.closed_for for name, each in found.items() if each.closed_for} == closed


MANIFEST: Manifest = get("memory").manifest


def budgets(**options: Any) -> dict[str, Budget]:
    """The limits of a connection `shop` with these settings, by name."""
    connection = ConnectionSettings(adapter="memory", **options)
    return {each.name: each for each in budgets_of("shop", connection, MANIFEST)}


@pytest.mark.parametrize(
    ("method", "path", "drawn"),
    [
        ("GET", "/api/me", ["all"]),
        ("GET", "/api/conversations/con_1/messages", ["all"]),
        ("POST", "/api/conversations/con_1/messages", ["all", "updates"]),
        ("PATCH", "/api/customers/cus_1", ["all", "updates"]),
    ],
)
def test_a_request_draws_from_every_limit_it_matches(method: str, path: str, drawn: list[str]) -> None:
    """By its method and its path."""
    assert [name for name, each in budgets().items() if each.covers(method, path)] == drawn


def test_connections_of_one_account_share_its_limits() -> None:
    """The account is the vendor's; without one, the connection stands for itself."""
    assert budgets(account="acme")["all"].key == budgets(account="acme")["all"].key
    assert budgets(account="acme")["all"].key != budgets()["all"].key


def test_an_operator_may_set_a_limit() -> None:
    """Which the vendor's word then never widens."""
    own = budgets(limits={"updates": {"requests": 50, "seconds": 10}})["updates"]
    assert (own.rule.requests, own.rule.cap, own.rule.window) == (50, 50, 10_000)
    assert budgets()["updates"].rule.cap is None


def test_an_unknown_limit_is_refused_by_name() -> None:
    """With the names that there are."""
    with pytest.raises(InvalidSettings, match=r"'shop'.*limits\.update .*it has: all, updates"):
        budgets(limits={"update": {"requests": 50, "seconds": 10}})
