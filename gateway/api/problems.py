"""Errors as `application/problem+json` (RFC 9457)."""

from typing import Annotated, Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap
from msgspec import Meta, Struct

from config.database import is_passing
from gateway.conflicts import UnknownConflictError
from gateway.desk_actions import RefusedError, UnknownHandOffError
from gateway.files.guard import RefusedFileError, status_of
from gateway.files.opening import NoSuchFileError
from gateway.parking.deeds import RefusedReplayError, UnknownParkedError
from sync.cases import RefusedLinkError, UnknownConversationError
from sync.resolving import RefusedConflictError
from sync.store.merging import RefusedMergeError, UnknownCustomerError

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong, in the form of RFC 9457."""

    type: Annotated[str, Meta(examples=["about:blank"])]
    title: Annotated[str, Meta(examples=["Not possible now"])]
    status: Annotated[int, Meta(examples=[409])]
    detail: Annotated[str, Meta(examples=["Mei Lin has claimed it"])]


_MEANINGS = {
    400: "The request can't be understood; `errors` names the fields",
    401: "No valid API key",
    403: "The key lacks the scope",
    404: "No such thing",
    409: "Not possible now; `detail` says why",
    410: "It was there once, and is no more",
    413: "The file is too large",
    415: "The file is of a kind that is not passed on, or not what it claims to be",
    422: "The Idempotency-Key was used for another request",
    502: "Who has the file can't be asked for it, or refuses it",
    504: "Who has the file doesn't answer now; another time they may",
    503: "The database doesn't answer now; the same request may be sent again after `Retry-After`",
}


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """How an operation's problems are described; 401, 403 and 503 are always among them."""
    return {
        status: ResponseSpec(
            Problem,
            description=_MEANINGS[status],
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in sorted({401, 403, 503, *statuses})
    }


def problem(status: int, title: str, detail: str, **more: Any) -> Response[bytes]:
    """A problem as a response; `more` are extension members."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE)


def unavailable() -> Response[bytes]:
    """The database doesn't answer: it is no use to send it again at once."""
    response = problem(503, "Unavailable", "the database does not answer; send the same again later")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def from_http_exception(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own errors: what was wrong, and where where it is known."""
    more = {"errors": error.extra} if isinstance(error.extra, list) else {}
    response = problem(
        error.status_code, type(error).__name__.removesuffix("Exception"), error.detail, **more
    )
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def from_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of ours, or of the database: say so, keep the details in the log."""
    if is_passing(error):
        log.error("database_unavailable", path=request.url.path, error=repr(error))
        return unavailable()
    log.error("request_failed", path=request.url.path, error=repr(error), exc_info=error)
    return problem(500, "Internal error", "something went wrong here; the log has the details")


def from_refusal(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What somebody may not do now."""
    return problem(409, "Not possible now", str(error))


def from_unknown(_: Request[Any, Any, Any], error: LookupError) -> Response[bytes]:
    """Something that never was."""
    return problem(404, "NotFound", str(error))


def from_refused_file(_: Request[Any, Any, Any], error: RefusedFileError) -> Response[bytes]:
    """A file that isn't handed out, or not taken."""
    return problem(status_of(error), "No such file to be had", f"the file is not passed on: {error}")


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    HTTPException: from_http_exception,
    RefusedError: from_refusal,
    RefusedFileError: from_refused_file,
    NoSuchFileError: from_unknown,
    UnknownHandOffError: from_unknown,
    RefusedConflictError: from_refusal,
    UnknownConflictError: from_unknown,
    RefusedLinkError: from_refusal,
    UnknownConversationError: from_unknown,
    RefusedMergeError: from_refusal,
    UnknownCustomerError: from_unknown,
    RefusedReplayError: from_refusal,
    UnknownParkedError: from_unknown,
    Exception: from_anything,
}
