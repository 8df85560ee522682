"""What the checker may look at: what the vendors saw, what the API acknowledged, what was set aside."""

from datetime import datetime, timedelta

from msgspec import Struct, field

from adapters.vendors.memory.records import DeliveryLog, Happened, RequestLog


class Deed(Struct, kw_only=True):
    """One thing that a desk agent asked of the API, under one idempotency key, until it was answered.

    `status` is the definite answer's; `None` where none ever came: then it may have been done or not.
    """

    connection: str
    conversation_id: str
    action: str
    text: str = ""
    asked_at: datetime
    answered_at: datetime | None = None
    status: int | None = None

    @property
    def done(self) -> bool:
        """Whether the API said that it was done."""
        return self.status == 200

    @property
    def possible(self) -> bool:
        """Whether it may have been done."""
        return self.status in {None, 200}


class VendorLog(Struct, kw_only=True):
    """All that one vendor saw."""

    name: str
    happened: list[Happened] = field(default_factory=list)
    requests: list[RequestLog] = field(default_factory=list)
    deliveries: list[DeliveryLog] = field(default_factory=list)


class Struck(Struct, frozen=True, kw_only=True):
    """A fault that was injected."""

    at: datetime
    kind: str
    target: str


class Evidence(Struct, kw_only=True):
    """Everything about one run."""

    vendors: list[VendorLog]
    deeds: list[Deed] = field(default_factory=list)
    parked: list[tuple[str, str, str]] = field(default_factory=list)
    """Connection, conversation, why."""
    answers: dict[str, str] = field(default_factory=dict)
    """Which question a reply's text answers; learnt in calm."""
    courtesies: frozenset[str] = frozenset()
    """What the AI says where it has no answer: the same words may be right twice."""
    struck: list[Struck] = field(default_factory=list)
    polled_within: timedelta | None = None
    """How soon polling finds what no webhook told of; `None` where nothing is polled."""
    quiet: bool = True
    """Whether traffic died out once the customers had stopped."""
