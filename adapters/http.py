"""One HTTP exchange with a vendor, its outcome sorted by what the engine does next."""

import os
import re
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from adapters.errors import AdapterError, Fatal, Outdated, Rejected, Retryable

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"}
)
_REASON_KEYS = ("error", "message", "description", "detail", "title", "errors")
_PERSONAL = re.compile(r"[^\s@\"']+@[^\s@\"']+|\+?\d[\d\s-]{6,}\d")
_REASON_LENGTH = 200
_SSL = re.compile(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$")

Complaint = Callable[[Any, httpx.Response], AdapterError | None]
"""What a vendor's answer complains of beside its status: given the decoded body and the response."""


async def call(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    complaint: Complaint | None = None,
    secrets: Iterable[str] = (),
    **options: Any,
) -> Any:
    """Exchange one request for its decoded JSON body, or `None` where the answer holds no JSON.

    Raises: as `exchange`.
    """
    return body_of(await exchange(http, method, path, complaint=complaint, secrets=secrets, **options))


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    complaint: Complaint | None = None,
    secrets: Iterable[str] = (),
    **options: Any,
) -> httpx.Response:
    """Exchange one request for its successful response. A `complaint` overrules what the status says.

    No error repeats the request's credentials or one of `secrets`, though the vendor may echo them.

    Raises:
        Retryable: a passing fault; `outcome_unknown` where the request may have taken effect.
        Outdated: a conditional write came too late (412).
        Fatal: the credentials or the address are wrong.
        Rejected: the vendor will never accept this request as it is.
    """
    what = f"{method} {path.partition('?')[0]}"
    may_have_acted = method.upper() not in SAFE_METHODS
    try:
        response = await http.request(method, path, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise Retryable(f"{what}: no connection ({_no_connection(error)})") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Fatal(f"{what}: the configured address is not usable ({type(error).__name__})") from error
    except httpx.LocalProtocolError as error:
        raise Rejected(f"{what}: the request can't be put into HTTP") from error
    except httpx.RequestError as error:
        raise Retryable(
            f"{what}: no answer ({type(error).__name__})", outcome_unknown=may_have_acted
        ) from error
    found = complaint(body_of(response), response) if complaint else None
    if found is not None:
        raise found
    if response.is_success:
        return response
    raise _sorted(response, what, may_have_acted=may_have_acted, secrets=secrets)


def _no_connection(error: BaseException) -> str:
    """Why there is no connection, in the words of the system, or those of TLS."""
    why = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            why = _SSL.sub("", str(cause.strerror))
        elif isinstance(cause, OSError) and cause.strerror:
            why = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
        cause = cause.__cause__
    return why


def body_of(response: httpx.Response) -> Any:
    """The decoded JSON body, or `None` where there is none."""
    try:
        return msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return None


def _sorted(
    response: httpx.Response, what: str, *, may_have_acted: bool, secrets: Iterable[str]
) -> AdapterError:
    status = response.status_code
    detail = f"{what} answered {status}{_reason(response, secrets)}"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Fatal(detail, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retryable(detail, status=status, retry_after=retry_after(response))
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = retry_after(response)
        return Retryable(detail, status=status, retry_after=wait, outcome_unknown=may_have_acted)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Outdated(detail, status=status)
    if response.is_redirect:
        return Fatal(f"{detail}: it redirects elsewhere; check the configured address", status=status)
    return Rejected(detail, status=status)


def retry_after(response: httpx.Response) -> timedelta | None:
    """The vendor's wish, given in seconds or as an HTTP date."""
    value = response.headers.get("retry-after", "").strip()
    try:
        return max(timedelta(), timedelta(seconds=float(value)))
    except (ValueError, OverflowError):
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(), aware - datetime.now(UTC))


def _reason(response: httpx.Response, secrets: Iterable[str]) -> str:
    """What the vendor says is wrong, without what it may have echoed: credentials, addresses, numbers."""
    body = body_of(response)
    if not isinstance(body, dict):
        return ""
    found = next((body[key] for key in _REASON_KEYS if body.get(key)), None)
    if found is None:
        return ""
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    return ": " + harmless(text, (*_credentials(response.request), *secrets))


def harmless(text: str, secrets: Iterable[str]) -> str:
    """A vendor's words for an error: without secrets, addresses and long numbers, and not too many."""
    for secret in secrets:
        text = text.replace(secret, "•••")
    return _PERSONAL.sub("•••", text)[:_REASON_LENGTH]


def _credentials(request: httpx.Request) -> list[str]:
    values = [value for name, value in request.headers.items() if name not in _PLAIN_HEADERS]
    return [part for value in values for part in (value, value.rpartition(" ")[2]) if part]
