"""What is counted, for Prometheus."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, get_args, get_type_hints

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sync.parking import Reason
from sync.store.pulls import PullState

RUN_STATES = ("running", "done", "stopped")
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Series(Struct, frozen=True):
    """How a series is called, what it means, and what it is told apart by."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


def _says(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, meaning, labels)


class Metrics:
    """All series of one process; their attributes say what they are made of."""

    accepted: Annotated[
        Counter, _says("deskbridge_webhooks_total", "Webhooks by outcome", "connection", "outcome")
    ]
    events: Annotated[Counter, _says("deskbridge_events_total", "Events worked, by outcome", "outcome")]
    lag: Annotated[
        Histogram,
        _says(
            "deskbridge_stage_lag_seconds",
            "From receiving an event, or creating a command, to the end of a stage",
            "stage",
        ),
    ]
    attempts: Annotated[
        Counter,
        _says(
            "deskbridge_attempts_total", "Attempts at commands by outcome", "connection", "kind", "outcome"
        ),
    ]
    turns: Annotated[Counter, _says("deskbridge_turn_verdicts_total", "Verdicts on turns", "verdict")]
    hand_offs: Annotated[Counter, _says("deskbridge_hand_offs_total", "Hand-offs by rule", "rule")]
    expired: Annotated[
        Counter,
        _says("deskbridge_hand_offs_expired_total", "Hand-offs that nobody claimed in time, by rule", "rule"),
    ]
    overlaps: Annotated[
        Counter,
        _says(
            "deskbridge_overlaps_total",
            "Replies of the AI that a person's message crossed, by how we came to know; see /v1/overlaps",
            "kind",
        ),
    ]
    undelivered: Annotated[
        Counter,
        _says(
            "deskbridge_messages_undelivered_total",
            "Messages of ours that a helpdesk accepted, and told later that they had failed",
            "connection",
        ),
    ]
    superseded: Annotated[
        Counter,
        _says(
            "deskbridge_superseded_total",
            "Commands withdrawn right before sending: the lease had moved on, or their subject was deleted",
        ),
    ]
    first_response: Annotated[
        Histogram,
        _says("deskbridge_first_response_seconds", "From a customer's first message of a turn to the reply"),
    ]
    paused: Annotated[
        Gauge, _says("deskbridge_connection_paused", "1 while a connection is paused", "connection")
    ]
    breaker_open: Annotated[
        Gauge,
        _says("deskbridge_breaker_open", "1 while a connection that fails is left alone", "connection"),
    ]
    budget_limit: Annotated[
        Gauge, _says("deskbridge_budget_limit", "Requests in a window of a limit", "account", "limit")
    ]
    budget_remaining: Annotated[
        Gauge, _says("deskbridge_budget_remaining", "What is left of a limit", "account", "limit")
    ]
    budget_empty_at: Annotated[
        Gauge,
        _says(
            "deskbridge_budget_empty_at_seconds",
            "Unix time when a limit is used up if it goes on so; 0 if never",
            "account",
            "limit",
        ),
    ]
    held: Annotated[
        Counter,
        _says(
            "deskbridge_requests_held_total",
            "Requests not sent because a limit was used up",
            "account",
            "limit",
            "priority",
        ),
    ]
    oldest_offer: Annotated[
        Gauge,
        _says(
            "deskbridge_oldest_offer_seconds",
            "How long the customer who waits longest has been waiting for somebody to claim their hand-off",
        ),
    ]
    oldest_event: Annotated[
        Gauge, _says("deskbridge_oldest_event_seconds", "Age of the longest-waiting event")
    ]
    open_conflicts: Annotated[
        Gauge,
        _says(
            "deskbridge_open_conflicts",
            "Conflicts over shared fields that wait for a person; the same from every process",
        ),
    ]
    parked: Annotated[
        Gauge,
        _says(
            "deskbridge_parked",
            "Parked events and commands by reason (of each the 10,000 oldest); the same from every process",
            "reason",
        ),
    ]
    parked_oldest: Annotated[
        Gauge,
        _says(
            "deskbridge_parked_oldest_seconds",
            "How long the longest parked one has been parked, by reason; 0 when none is",
            "reason",
        ),
    ]

    pull_state: Annotated[
        Gauge,
        _says(
            "deskbridge_pull_state",
            "1 for the state of the latest backfill, reconciliation or poll; the same from every process",
            "connection",
            "purpose",
            "state",
        ),
    ]
    pull_records: Annotated[
        Gauge,
        _says(
            "deskbridge_pull_records",
            "Records that it has read; by polls, all that ever were. The same from every process",
            "connection",
            "purpose",
            "kind",
        ),
    ]
    pull_pages: Annotated[
        Gauge,
        _says("deskbridge_pull_pages", "Pages that it has read, likewise", "connection", "purpose", "kind"),
    ]
    pull_idle: Annotated[
        Gauge,
        _says(
            "deskbridge_pull_page_age_seconds",
            "How long ago its last page of customers or conversations was stored",
            "connection",
            "purpose",
        ),
    ]
    poll_lag: Annotated[
        Gauge,
        _says(
            "deskbridge_poll_lag_seconds",
            "How long ago the last poll that came to its end asked for its last page",
            "connection",
        ),
    ]

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._webhooks: dict[tuple[str, str], Counter] = {}
        for attribute, declared in get_type_hints(Metrics, include_extras=True).items():
            kind, series = get_args(declared)
            more = {"buckets": _FAST} if kind is Histogram else {}
            made = kind(series.name, series.meaning, series.labels, registry=self.registry, **more)
            setattr(self, attribute, made)

    def set_pulls(self, found: Iterable[PullState], now: datetime) -> None:
        """Take over how the latest runs stand."""
        for each in found:
            run = (each.connection, each.purpose)
            for state in RUN_STATES:
                self.pull_state.labels(*run, state).set(state == each.state)
            for kind, counts in each.counts.items():
                self.pull_records.labels(*run, kind).set(counts.read)
                self.pull_pages.labels(*run, kind).set(counts.pages)
            if each.moved_at is not None:
                self.pull_idle.labels(*run).set(max(0.0, (now - each.moved_at).total_seconds()))
            if each.purpose == "poll" and each.known_at is not None:
                lag = max(0.0, (now - each.known_at).total_seconds())
                self.poll_lag.labels(each.connection).set(lag)

    def set_parked(self, counts: Mapping[Reason, tuple[int, datetime]], now: datetime) -> None:
        """Take over how much is parked for which reason, and since when."""
        for reason in Reason:
            count, oldest = counts.get(reason, (0, now))
            self.parked.labels(reason.value).set(count)
            self.parked_oldest.labels(reason.value).set(max(0.0, (now - oldest).total_seconds()))

    def count_webhook(self, connection: str, outcome: str) -> None:
        """Count one webhook; the series is kept at hand, for this is the hot path."""
        series = self._webhooks.get((connection, outcome))
        if series is None:
            series = self._webhooks[connection, outcome] = self.accepted.labels(connection, outcome)
        series.inc()

    def observe_lag(self, stage: str, lag: timedelta) -> None:
        """Record how long a stage took."""
        self.lag.labels(stage).observe(max(0.0, lag.total_seconds()))

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
