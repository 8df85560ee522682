"""The console: pages rendered here, plain HTML, in Chinese and English."""

from typing import Any

import structlog
from litestar import Request, Response, Router, get
from litestar.exceptions import HTTPException, NotFoundException
from litestar.static_files import create_static_files_router

from config.database import is_passing
from gateway.console import conversations, desk, files, login, overview
from gateway.console.login import HOME, redirect, send_to_login
from gateway.console.pages import STATIC, reader_words, render
from gateway.console.sessions import ForgedFormError, LoginRequiredError
from gateway.desk_actions import UnknownHandOffError
from gateway.files.guard import RefusedFileError, status_of
from gateway.files.opening import NoSuchFileError

log = structlog.get_logger()
_TOLD = frozenset({400, 401, 403, 404, 405, 413, 503})


@get("/", include_in_schema=False)
async def front_door() -> Response[Any]:
    """Whoever comes with a browser wants the console."""
    return redirect(HOME)


@get("/console/{rest:path}", include_in_schema=False)
async def nowhere() -> None:
    """Every other address."""
    raise NotFoundException


def _show(request: Request[Any, Any, Any], status: int, message: str | None = None) -> Response[Any]:
    t = reader_words(request)
    told = message or t(f"error.{status if status in _TOLD else 500}")
    return render(request, "error.html", status=status, number=status, message=told)


def _told(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    return _show(request, error.status_code)


def _unknown(request: Request[Any, Any, Any], _: LookupError) -> Response[Any]:
    return _show(request, 404)


def _refused_file(request: Request[Any, Any, Any], error: RefusedFileError) -> Response[Any]:
    return _show(request, status_of(error), reader_words(request)(f"file.{error.because}"))


def _forged(request: Request[Any, Any, Any], _: ForgedFormError) -> Response[Any]:
    return _show(request, 403, reader_words(request)("error.form"))


def _broken(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if is_passing(error):
        log.error("database_unavailable", path=request.url.path, error=repr(error))
        return _show(request, 503)
    log.error("page_failed", path=request.url.path, error=repr(error), exc_info=error)
    return _show(request, 500)


PAGES = Router(
    path="/",
    route_handlers=[
        front_door,
        nowhere,
        login.show_login,
        login.log_in,
        login.log_out,
        overview.show_overview,
        conversations.show_conversation,
        desk.show_desk,
        desk.show_hand_off,
        desk.reply,
        desk.act,
        files.save_file,
    ],
    exception_handlers={
        LoginRequiredError: send_to_login,
        ForgedFormError: _forged,
        UnknownHandOffError: _unknown,
        NoSuchFileError: _unknown,
        RefusedFileError: _refused_file,
        HTTPException: _told,
        Exception: _broken,
    },
)
FILES = create_static_files_router(path="/console/static", directories=[STATIC], include_in_schema=False)
HANDLERS = [PAGES, FILES]
