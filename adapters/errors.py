"""Errors an adapter raises, sorted by what the engine does next.

AdapterError
├── Retryable      try again later; `outcome_unknown` says whether to look before sending again
│   ├── Held           not sent: a limit is used up or the vendor is down; nobody's fault, no attempt
│   └── Outdated       the record has changed since it was read: read it again first
├── Fatal          pause the connection and tell the operator
│   ├── InvalidSettings    the connection is configured wrongly; says which field and how to cure it
│   └── BrokenAdapter      the adapter itself can't be used; its connections rest, others go on
├── Rejected       park this one command or event and go on
│   └── Unsupported    the vendor has no such thing; the engine degrades
└── WebhookRefused     the hook was not sent by the vendor, or is unreadable
    ├── BadSignature   answer 401
    └── Malformed      answer 400 and keep the body for inspection
"""

# ruff: noqa: N818 - the names say what the engine does next

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta


class AdapterError(Exception):
    """Anything an adapter tells the engine went wrong. `detail` never carries a secret."""

    def __init__(self, detail: str, *, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


class Retryable(AdapterError):
    """A passing fault.

    `retry_after` is the vendor's own wish. `outcome_unknown` is true when the request may have
    taken effect (read time-out, reset after sending, 5xx): the engine calls `find` first.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        retry_after: timedelta | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(detail, status=status)
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown


class Held(Retryable):
    """The engine's transport kept the request back, until `retry_after` at least; it was never sent."""

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        super().__init__(detail, retry_after=retry_after)


class Outdated(Retryable):
    """A conditional write was refused, because somebody else has changed the record."""


class Fatal(AdapterError):
    """Nothing at this connection will work until a person acts (credentials, account)."""


class InvalidSettings(Fatal):
    """A connection's settings don't fit its adapter; the detail names connection, field and cure."""


class BrokenAdapter(Fatal):
    """An installed adapter that can't be used: it doesn't import, isn't one, or fails when it is made."""


class ManifestError(TypeError):
    """A `manifest.toml` that is missing or can't be used; says which, and what is wrong with it."""


class Rejected(AdapterError):
    """The vendor will never accept this one as it is."""


class Unsupported(Rejected):
    """The vendor has no way to do it."""


class WebhookRefused(AdapterError):
    """The webhook is not accepted."""


class BadSignature(WebhookRefused):
    """Not provably from the vendor: missing, wrong or stale signature."""


class Malformed(WebhookRefused):
    """From the vendor, but not a body we can read."""


@contextmanager
def as_documented(what: str) -> Iterator[None]:
    """Read a vendor's shape: where it is not as documented, that is `Malformed`, and no fault of ours."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Malformed(f"{what} is not as documented: {error!r}") from error
