"""Adapters that take one fault for another, or tell too much."""

# ruff: noqa: D102 - each overrides what the class's one line tells of

from collections.abc import Callable
from typing import Any

import httpx

from adapters.contract import Adapter
from adapters.errors import AdapterError, Held, Rejected, Retryable, Unsupported, WebhookRefused
from adapters.vendors.memory.adapter import Memory
from mutants.breaking import Mutant, seen_by


def complaining(mutant: str, checks: tuple[str, ...], complain: Callable[[int], AdapterError | None]) -> None:
    """A mutant that takes a status for something else."""

    def complaint(_: Adapter, __: Any, response: httpx.Response) -> AdapterError | None:
        return complain(response.status_code)

    members = {"manifest": Memory.manifest, "complaint": complaint}
    seen_by(*checks)(type(mutant, (Mutant,), members))


complaining("Stubborn", ("refused_credentials",), lambda s: Retryable("again") if s == 401 else None)
complaining("Insistent", ("refused_requests",), lambda s: Retryable("again") if s == 422 else None)
complaining("Degrading", ("refused_requests",), lambda s: Unsupported("no") if s == 400 else None)
complaining("Impatient", ("too_many",), lambda s: Retryable("again") if s == 429 else None)
complaining("Resigned", ("vendor_down",), lambda s: Rejected("no") if s == 503 else None)
complaining("Certain", ("vendor_down",), lambda s: Retryable("again") if s == 500 else None)
complaining("Breaking", ("vendor_down",), lambda s: WebhookRefused("?") if s == 502 else None)


@seen_by("connection_broken", "held_back")
class Swallowing(Mutant):
    """It makes something else of what it doesn't like."""

    manifest = Memory.manifest

    async def call(self, method: str, path: str, **options: Any) -> Any:
        try:
            return await super().call(method, path, **options)
        except Held as error:
            raise Rejected("held") from error
        except Retryable as error:
            raise Retryable(error.detail, status=error.status, retry_after=error.retry_after) from error


@seen_by("secrets_stay")
class Talkative(Mutant):
    """It shows all that it knows."""

    manifest = Memory.manifest

    def __repr__(self) -> str:
        return f"Talkative({self.settings['token']})"
