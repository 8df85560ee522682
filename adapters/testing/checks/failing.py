"""Failures: what each is for the engine, and that none gives a secret away."""

import io
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx

from adapters.errors import AdapterError, Fatal, Held, Rejected, Retryable, Unsupported
from adapters.manifest import Settings, Tier
from adapters.model import Change, IdentityKind
from adapters.testing.checking import check, require
from adapters.testing.checks.operations import TEXT, operations
from adapters.testing.subject import Subject
from adapters.testing.vendor import Always, Respond, Watched

_SAFE = {"GET", "HEAD", "OPTIONS"}
_PASSING = (408, 500, 502, 503, 504)
_WAIT = 7
_HTML = "<html><body><h1>Bad gateway</h1></body></html>"


@check(Tier.SILVER)
async def refused_credentials(subject: Subject) -> None:
    """401 pauses the connection; 403 does, or rejects the one request; neither is tried again."""
    for status, expected in ((401, (Fatal,)), (403, (Fatal, Rejected))):
        for what, error, _ in await _failures(subject, _status(status)):
            require(isinstance(error, expected), f"{what}: {status} becomes {error!r}")


@check(Tier.SILVER)
async def refused_requests(subject: Subject) -> None:
    """400 and 422 reject this one; 404 and 409 may also mean "not there" and "read it again"."""
    for status in (400, 404, 409, 422):
        expected = (Rejected, Retryable) if status == 409 else (Rejected, Fatal)  # noqa: PLR2004 - HTTP's
        for what, error, _ in await _failures(subject, _status(status)):
            is_lookup = error is None and status in {404, 409}
            require(is_lookup or isinstance(error, expected), f"{what}: {status} becomes {error!r}")
            require(not isinstance(error, Unsupported), f"{what}: {status} becomes Unsupported")


@check(Tier.SILVER)
async def too_many(subject: Subject) -> None:
    """429 is tried again when the vendor wants it, be that given in seconds or as a date."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    for value, least, most in ((str(_WAIT), _WAIT, _WAIT), (date, 30, 91)):
        for what, error, _ in await _failures(subject, _status(429, {"Retry-After": value})):
            require(isinstance(error, Retryable), f"{what}: 429 becomes {error!r}")
            assert isinstance(error, Retryable)
            waits = error.retry_after
            told = f"{what}: Retry-After: {value} becomes {waits}"
            require(waits and timedelta(seconds=least) <= waits <= timedelta(seconds=most), told)
    for what, error, _ in await _failures(subject, _status(429)):
        require(isinstance(error, Retryable), f"{what}: 429 without Retry-After becomes {error!r}")


@check(Tier.SILVER)
async def vendor_down(subject: Subject) -> None:
    """5xx and 408 are tried again; after a write it is looked first whether it worked."""
    for status in _PASSING:
        for what, error, last in await _failures(subject, _status(status)):
            _passing(f"{what}: {status}", error, doubtful=last not in _SAFE)


@check(Tier.SILVER)
async def connection_broken(subject: Subject) -> None:
    """Time-outs and resets likewise; where nothing was sent, nothing is in doubt."""
    for kind in (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.RemoteProtocolError):
        for what, error, last in await _failures(subject, _raising(kind)):
            _passing(f"{what}: {kind.__name__}", error, doubtful=last not in _SAFE)
    for refusal in (httpx.ConnectError, httpx.ConnectTimeout):
        for what, error, _ in await _failures(subject, _raising(refusal)):
            _passing(f"{what}: {refusal.__name__}", error, doubtful=False)


@check(Tier.SILVER)
async def held_back(subject: Subject) -> None:
    """What the engine holds back passes through as it is: an adapter retries nothing and swallows nothing."""
    held = Held("a limit is used up", retry_after=timedelta(seconds=_WAIT))

    def hold(_: httpx.Request) -> httpx.Response:
        raise held

    for what, error, _ in await _failures(subject, hold):
        require(error is held, f"{what}: an error of the engine's becomes {error!r}")


@check(Tier.SILVER)
async def asks_once(subject: Subject) -> None:
    """What fails isn't asked again: trying again is the engine's, which knows the limits and the order."""
    failing = {"503": _status(503), "429": _status(429), "a time-out": _raising(httpx.ReadTimeout)}
    for failure, respond in failing.items():
        for what, operate in operations(subject).items():
            watched = Watched(Always(respond))
            adapter = subject.make(watched)
            with suppress(AdapterError):
                await operate(adapter)
            await adapter.aclose()
            asked = Counter((each.method, str(each.url), each.content) for each in watched.seen)
            again = [f"{method} {url}" for (method, url, _), times in asked.items() if times > 1]
            require(not again, f"{what} asks {again} again after {failure}: raise it, the engine tries again")


@check(Tier.BRONZE)
async def words_stay(subject: Subject) -> None:
    """What customers say, and their addresses, are neither logged nor printed."""
    known = {text for changes in subject.changes.values() for c in changes for text in _personal(c)} | {TEXT}
    printed = io.StringIO()
    with _listening(client=logging.WARNING) as heard, redirect_stdout(printed), redirect_stderr(printed):
        for body in subject.webhooks.values():
            with suppress(Exception):
                subject.parse(body)
        for operate in operations(subject).values():
            async with subject.opened() as (adapter, _):
                with suppress(Exception):
                    await operate(adapter)
    for where, told in (("the log", heard.getvalue()), ("what is printed", printed.getvalue())):
        require(
            not any(text in told or repr(text)[1:-1] in told for text in known),
            f"what customers say is in {where}: {told[:300]}. Log ids, if anything",
        )


def _personal(change: Change) -> Iterator[str]:
    message, customer = getattr(change, "message", None), getattr(change, "customer", None)
    if message is not None and len(message.text) > 4:  # noqa: PLR2004 - a word may be anywhere
        yield message.text
    if customer is not None:
        kinds = (IdentityKind.EMAIL, IdentityKind.PHONE)
        yield from (each.value for each in customer.identities if each.kind in kinds)


@check(Tier.BRONZE)
async def secrets_stay(subject: Subject) -> None:
    """No secret is in a repr, a log line, an error or an address, even where the vendor echoes it."""
    secrets = [str(subject.settings[f.name]) for f in subject.adapter.manifest.fields if f.secret]
    checked = Settings(subject.adapter.manifest, subject.settings)
    told: dict[str, str] = {"the settings' repr": repr(checked), "the adapter's repr": repr(subject.make())}
    with _listening() as heard:
        for status in (400, 401, 403, 422, 500):
            echo = {"error": f"bad credentials {' '.join(secrets)}", "message": " ".join(secrets)}
            found = await _failures(subject, lambda _, s=status, e=echo: httpx.Response(s, json=e))  # type: ignore[misc]
            told |= {f"the error of {what} after {status}": f"{error} {error!r}" for what, error, _ in found}
    told["the log"] = heard.getvalue()
    for where, text in told.items():
        require(not any(secret in text for secret in secrets), f"a secret is in {where}: {text[:500]}")


async def _failures(subject: Subject, respond: Respond) -> list[tuple[str, AdapterError | None, str]]:
    """What each operation ends in, and its last request's method. Only AdapterErrors may come out."""
    found = []
    for what, operate in operations(subject).items():
        watched = Watched(Always(respond))
        adapter = subject.make(watched)
        error: AdapterError | None = None
        try:
            await operate(adapter)
        except AdapterError as caught:
            error = caught
        except Exception as caught:
            raise AssertionError(f"{what} raises {caught!r} where the vendor fails") from caught
        finally:
            await adapter.aclose()
        if not watched.seen:
            raise AssertionError(f"{what} asks the vendor nothing")
        found.append((what, error, watched.seen[-1].method))
    return found


def _passing(what: str, error: AdapterError | None, *, doubtful: bool) -> None:
    require(isinstance(error, Retryable), f"{what} becomes {error!r}")
    assert isinstance(error, Retryable)
    if doubtful:
        require(error.outcome_unknown, f"{what}: the write may have worked, but outcome_unknown is false")
    else:
        require(not error.outcome_unknown, f"{what}: nothing was written, but outcome_unknown is true")


def _status(status: int, headers: dict[str, str] | None = None) -> Respond:
    if status in {502, 504}:
        return lambda _: httpx.Response(status, headers=headers, html=_HTML)
    return lambda _: httpx.Response(status, headers=headers, json={})


def _raising(kind: type[httpx.TransportError]) -> Respond:
    def fail(request: httpx.Request) -> httpx.Response:
        raise kind("broken", request=request)

    return fail


@contextmanager
def _listening(*, client: int = logging.DEBUG) -> Iterator[io.StringIO]:
    """What is logged, by anybody, at any level; by the HTTP client, from this one on."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    try:
        with heard_from(logging.DEBUG, client=client):
            yield heard
    finally:
        root.handlers = before


@contextmanager
def heard_from(level: int, *, client: int | None = None) -> Iterator[None]:
    """Let the root and the HTTP client log from these levels on."""
    loggers = [logging.getLogger(name) for name in (None, "httpx", "httpcore")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(level if client is None or each is loggers[0] else client)
    try:
        yield
    finally:
        for each, old in zip(loggers, before, strict=True):
            each.setLevel(old)
