"""Logging in, by key or by ticket, and out."""

from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from msgspec import Struct

from adapters.model import Person
from gateway import access, store
from gateway.console import sessions
from gateway.console.pages import SECURITY_HEADERS, Caller, reader_words, render
from gateway.console.sessions import COOKIE, ForgedFormError, check_form, check_origin, visitors
from gateway.house import House
from gateway.store import Visit

LOGIN = "/console/login"
HOME = "/console"
LONGEST_NAME = 80


class LoginForm(Struct, kw_only=True):
    """What is sent: a key and perhaps a name, or a ticket."""

    key: str = ""
    name: str = ""
    ticket: str = ""
    next: str = ""


class LogoutForm(Struct, kw_only=True):
    """The proof that the button was ours."""

    csrf: str = ""


@get(LOGIN, include_in_schema=False)
async def show_login(request: Request[Any, Any, Any]) -> Response[str]:
    """The form. A ticket is not used up by looking: links are also opened by machines."""
    return _form(
        request, ticket=request.query_params.get("ticket", ""), target=request.query_params.get("next", "")
    )


@post(LOGIN, include_in_schema=False, status_code=200)
async def log_in(
    data: URLEncodedBody[LoginForm], house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Open a session and go where the visitor wanted to."""
    t = reader_words(request)
    try:
        check_origin(request)
    except ForgedFormError:
        return _form(request, target=data.next, error=t("login.elsewhere"), status=403)
    async with house.engine.begin() as connection:
        visit = await _recognise(connection, house, data)
        token = await access.log_in(connection, visit, clock=house.clock) if visit else None
    if token is None:
        error = t("login.ticket_wrong" if data.ticket else "login.wrong")
        return _form(request, target=data.next, error=error, status=401)
    response = redirect(_local(data.next))
    response.set_cookie(sessions.session_cookie(house, token))
    return response


async def _recognise(connection: Any, house: House, form: LoginForm) -> Visit | None:
    if form.ticket:
        return await store.take_ticket(connection, access.digest(form.ticket), now=house.clock())
    key = await store.find_key(connection, access.digest(form.key.strip()))
    if key is None:
        return None
    name = form.name.strip()[:LONGEST_NAME] or key.name
    return Visit(key=key, agent=Person(id=name, name=name))


def _form(
    request: Caller, *, ticket: str = "", target: str = "", error: str = "", status: int = 200
) -> Response[str]:
    return render(request, "login.html", status=status, ticket=ticket, target=_local(target), error=error)


def _local(target: str) -> str:
    """Where to go after logging in: only ever into the console itself."""
    parts = urlsplit(target)
    inside = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    if parts.scheme or parts.netloc or not inside or "\\" in target:
        return HOME
    return parts.path + (f"?{parts.query}" if parts.query else "")


@post("/console/logout", include_in_schema=False, status_code=200, guards=[visitors()])
async def log_out(
    data: URLEncodedBody[LogoutForm], house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[Any]:
    """End the session, here and in the database."""
    check_form(request, data.csrf)
    async with house.engine.begin() as connection:
        await store.close_session(connection, access.digest(request.cookies[COOKIE]))
    response = redirect(LOGIN)
    response.delete_cookie(COOKIE, path="/console")
    return response


def redirect(path: str) -> Response[Any]:
    """Go on to another page of ours, with GET."""
    return Response(b"", status_code=303, headers=SECURITY_HEADERS | {"Location": path})


def send_to_login(request: Caller, _: Exception) -> Response[Any]:
    """Ask to log in; and come back then.

    A strict cookie stays at home on a click from another site, such as the helpdesk's note. So
    such a click is answered by a page that loads itself again: that request is our own, with the cookie.
    """
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        return render(request, "again.html")
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return redirect(f"{LOGIN}?next={quote(target)}" if request.method == "GET" else LOGIN)
