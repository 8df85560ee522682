"""One HTTP exchange: its outcome sorted by what the engine does next."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from adapters.errors import AdapterError, Fatal, Rejected, Retryable
from adapters.http import call

Responder = Callable[[httpx.Request], httpx.Response]


async def exchange(responder: Responder, method: str = "POST", path: str = "/messages") -> Any:
    """Call a vendor that answers so."""
    headers = {"Authorization": "Bearer s3cret-token"}
    transport = httpx.MockTransport(responder)
    async with httpx.AsyncClient(transport=transport, base_url="https://v.example", headers=headers) as http:
        return await call(http, method, path)


async def failure(responder: Responder, method: str = "POST", path: str = "/messages") -> AdapterError:
    """The error that the exchange ends in."""
    with pytest.raises(AdapterError) as caught:
        await exchange(responder, method, path)
    return caught.value


def answering(status: int, **options: Any) -> Responder:
    """A vendor that always answers so."""
    return lambda _: httpx.Response(status, **options)


def raising(error: Exception) -> Responder:
    """A vendor that can't be talked to."""

    def respond(_: httpx.Request) -> httpx.Response:
        raise error

    return respond


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"json": {"id": 1}}, {"id": 1}),
        ({"json": []}, []),
        ({"content": b""}, None),
        ({"content": b"OK"}, None),
        ({"html": "<html>hi</html>"}, None),
    ],
)
async def test_a_body_is_decoded_or_none(options: dict[str, Any], body: object) -> None:
    """JSON, or nothing."""
    assert await exchange(answering(200, **options)) == body


async def test_204_is_success() -> None:
    """Without a body."""
    assert await exchange(answering(204)) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Fatal),
        (403, Fatal),
        (404, Rejected),
        (405, Rejected),
        (408, Retryable),
        (409, Rejected),
        (413, Rejected),
        (422, Rejected),
        (429, Retryable),
        (500, Retryable),
        (502, Retryable),
        (503, Retryable),
        (504, Retryable),
    ],
)
async def test_statuses_are_sorted(status: int, kind: type[AdapterError]) -> None:
    """Only a 408 or 5xx of a writing request leaves its outcome unknown."""
    error = await failure(answering(status))
    assert type(error) is kind
    assert error.status == status
    if isinstance(error, Retryable):
        assert error.outcome_unknown is (status != 429)


async def test_a_redirect_is_fatal() -> None:
    """The configured address is wrong (often http for https)."""
    error = await failure(answering(301, headers={"location": "https://elsewhere.example/?k=1"}))
    assert type(error) is Fatal
    assert "address" in error.detail
    assert "elsewhere.example" not in error.detail


async def test_reading_again_needs_no_looking() -> None:
    """A GET that failed took no effect."""
    error = await failure(answering(500), "GET")
    assert isinstance(error, Retryable)
    assert not error.outcome_unknown


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [
        ("7", 7.0, 7.0),
        ("0.5", 0.5, 0.5),
        ("-3", 0.0, 0.0),
        (timedelta(minutes=10), 590.0, 600.0),
        (timedelta(minutes=-10), 0.0, 0.0),
    ],
)
async def test_retry_after_is_read(status: int, wish: str | timedelta, least: float, most: float) -> None:
    """In seconds or as a date; never negative."""
    header = wish if isinstance(wish, str) else format_datetime(datetime.now(UTC) + wish, usegmt=True)
    error = await failure(answering(status, headers={"retry-after": header}))
    assert isinstance(error, Retryable)
    assert error.retry_after is not None
    assert least <= error.retry_after.total_seconds() <= most


@pytest.mark.parametrize("header", ["soon", "", "nan", "inf"])
async def test_an_unreadable_retry_after_is_overlooked(header: str) -> None:
    """The engine's own back-off serves."""
    error = await failure(answering(429, headers={"retry-after": header}))
    assert isinstance(error, Retryable)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("cause", "outcome_unknown"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("busy"), False),
        (httpx.ProxyError("proxy"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteTimeout("slow"), True),
        (httpx.ReadError("reset"), True),
        (httpx.WriteError("reset"), True),
        (httpx.RemoteProtocolError("cut"), True),
    ],
)
async def test_broken_connections_are_retryable(cause: Exception, outcome_unknown: bool) -> None:  # noqa: FBT001
    """Whether the request may have arrived decides whether to look first."""
    error = await failure(raising(cause))
    assert isinstance(error, Retryable)
    assert error.outcome_unknown is outcome_unknown
    read = await failure(raising(cause), "GET")
    assert isinstance(read, Retryable)
    assert not read.outcome_unknown


async def test_an_unusable_address_is_fatal() -> None:
    """Nothing will ever be sent there."""
    assert type(await failure(raising(httpx.UnsupportedProtocol("ftp")))) is Fatal


async def test_details_hold_neither_secrets_nor_personal_data() -> None:
    """What the vendor echoes of credentials, addresses and numbers is masked; query strings are cut."""
    reason = "token s3cret-token of chen@example.com, +86 138 0000 0000, may not assign; status must be open"
    error = await failure(answering(422, json={"error": reason}), path="/messages?api_key=hidden")
    assert "may not assign; status must be open" in error.detail
    for secret in ("s3cret", "chen@", "138 0000", "hidden"):
        assert secret not in error.detail


@pytest.mark.parametrize(
    "body",
    [{"errors": {"text": ["too long"]}}, {"message": "too long"}, {"title": "x", "detail": "too long"}],
)
async def test_the_vendors_reason_is_told(body: dict[str, Any]) -> None:
    """In whichever of the usual places it stands."""
    assert "too long" in (await failure(answering(422, json=body))).detail
