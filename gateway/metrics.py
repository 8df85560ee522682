"""What is counted, for Prometheus."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sync.parking import Reason
from sync.store.pulls import PullState

RUN_STATES = ("running", "done", "stopped")
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """All series of one process."""

    def __init__(self) -> None:
        self.registry = one = CollectorRegistry()
        self.accepted = Counter(
            "deskbridge_webhooks_total", "Webhooks by outcome", ["connection", "outcome"], registry=one
        )
        self._webhooks: dict[tuple[str, str], Counter] = {}
        self.events = Counter(
            "deskbridge_events_total", "Events worked, by outcome", ["outcome"], registry=one
        )
        self.lag = Histogram(
            "deskbridge_stage_lag_seconds",
            "From receiving an event, or creating a command, to the end of a stage",
            ["stage"],
            buckets=_FAST,
            registry=one,
        )
        self.attempts = Counter(
            "deskbridge_attempts_total",
            "Attempts at commands by outcome",
            ["connection", "kind", "outcome"],
            registry=one,
        )
        self.turns = Counter("deskbridge_turn_verdicts_total", "Verdicts on turns", ["verdict"], registry=one)
        self.hand_offs = Counter("deskbridge_hand_offs_total", "Hand-offs by rule", ["rule"], registry=one)
        self.expired = Counter(
            "deskbridge_hand_offs_expired_total",
            "Hand-offs that nobody claimed in time, by rule",
            ["rule"],
            registry=one,
        )
        self.overlaps = Counter(
            "deskbridge_overlaps_total",
            "Replies of the AI that a person's message crossed, by how we came to know; see /v1/overlaps",
            ["kind"],
            registry=one,
        )
        self.undelivered = Counter(
            "deskbridge_messages_undelivered_total",
            "Messages of ours that a helpdesk accepted, and told later that they had failed",
            ["connection"],
            registry=one,
        )
        self.superseded = Counter(
            "deskbridge_superseded_total",
            "AI commands withdrawn because the lease moved on",
            registry=one,
        )
        self.first_response = Histogram(
            "deskbridge_first_response_seconds",
            "From a customer's first message of a turn to the reply",
            buckets=_FAST,
            registry=one,
        )
        self.paused = Gauge(
            "deskbridge_connection_paused",
            "1 while a connection is paused",
            ["connection"],
            registry=one,
        )
        self.breaker_open = Gauge(
            "deskbridge_breaker_open",
            "1 while a connection that fails is left alone",
            ["connection"],
            registry=one,
        )
        self.budget_limit = Gauge(
            "deskbridge_budget_limit", "Requests in a window of a limit", ["account", "limit"], registry=one
        )
        self.budget_remaining = Gauge(
            "deskbridge_budget_remaining", "What is left of a limit", ["account", "limit"], registry=one
        )
        self.budget_empty_at = Gauge(
            "deskbridge_budget_empty_at_seconds",
            "Unix time when a limit is used up if it goes on so; 0 if never",
            ["account", "limit"],
            registry=one,
        )
        self.held = Counter(
            "deskbridge_requests_held_total",
            "Requests not sent because a limit was used up",
            ["account", "limit", "priority"],
            registry=one,
        )
        self.oldest_offer = Gauge(
            "deskbridge_oldest_offer_seconds",
            "How long the customer who waits longest has been waiting for somebody to claim their hand-off",
            registry=one,
        )
        self.oldest_event = Gauge(
            "deskbridge_oldest_event_seconds", "Age of the longest-waiting event", registry=one
        )
        self.open_conflicts = Gauge(
            "deskbridge_open_conflicts",
            "Conflicts over shared fields that wait for a person; the same from every process",
            registry=one,
        )
        self.parked = Gauge(
            "deskbridge_parked",
            "Parked events and commands by reason (of each the 10,000 oldest); the same from every process",
            ["reason"],
            registry=one,
        )
        self.parked_oldest = Gauge(
            "deskbridge_parked_oldest_seconds",
            "How long the longest parked one has been parked, by reason; 0 when none is",
            ["reason"],
            registry=one,
        )

        self.pull_state = Gauge(
            "deskbridge_pull_state",
            "1 for the state of the latest backfill, reconciliation or poll; the same from every process",
            ["connection", "purpose", "state"],
            registry=one,
        )
        self.pull_records = Gauge(
            "deskbridge_pull_records",
            "Records that it has read; by polls, all that ever were. The same from every process",
            ["connection", "purpose", "kind"],
            registry=one,
        )
        self.pull_pages = Gauge(
            "deskbridge_pull_pages",
            "Pages that it has read, likewise",
            ["connection", "purpose", "kind"],
            registry=one,
        )
        self.pull_idle = Gauge(
            "deskbridge_pull_page_age_seconds",
            "How long ago its last page of customers or conversations was stored",
            ["connection", "purpose"],
            registry=one,
        )
        self.poll_lag = Gauge(
            "deskbridge_poll_lag_seconds",
            "How long ago the last poll that came to its end asked for its last page",
            ["connection"],
            registry=one,
        )

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
