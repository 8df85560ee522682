"""Who is logged in: the session cookie, the guard in front of every page, and forged forms."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard
from msgspec import Struct

from adapters.model import Person
from gateway import access, store
from gateway.access import Scope
from gateway.house import House
from gateway.store import Key

COOKIE = "deskbridge_session"
Connection = ASGIConnection[Any, Any, Any, Any]


class LoginRequiredError(Exception):
    """Nobody is logged in here."""


class ForgedFormError(Exception):
    """A form that none of our pages has sent."""


class Visitor(Struct, frozen=True, kw_only=True):
    """Whoever is logged in. `csrf` stands in every form: no other site can know it."""

    key: Key
    agent: Person
    csrf: str

    @property
    def ref(self) -> int:
        """The key's ref."""
        return self.key.ref

    @property
    def reads(self) -> bool:
        """Whether they may read conversations."""
        return access.may(self.key, Scope.READ)

    @property
    def helps(self) -> bool:
        """Whether they may act at the desk."""
        return access.may(self.key, Scope.DESK)


def visitors(scope: Scope | None = None) -> Guard:
    """A guard for pages: somebody must be logged in, with a key that opens `scope`."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        visitor = await find_visitor(connection)
        if visitor is None:
            raise LoginRequiredError
        connection.scope["auth"] = visitor
        if scope is not None and not access.may(visitor.key, scope):
            raise PermissionDeniedException

    return guard


async def find_visitor(connection: Connection) -> Visitor | None:
    """Who is logged in."""
    token = connection.cookies.get(COOKIE)
    if not token:
        return None
    house: House = connection.app.state.house
    async with house.engine.connect() as database:
        visit = await store.find_session(database, access.digest(token), now=house.clock())
    if visit is None:
        return None
    return Visitor(key=visit.key, agent=visit.agent, csrf=_csrf(token))


def _csrf(token: str) -> str:
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_form(connection: Connection, csrf: str) -> None:
    """Raise ForgedFormError unless one of our pages sent this form."""
    visitor: Visitor = connection.auth
    if not hmac.compare_digest(csrf.encode(), visitor.csrf.encode()):
        raise ForgedFormError
    check_origin(connection)


def check_origin(connection: Connection) -> None:
    """Raise ForgedFormError when the browser says that another site sent this."""
    site = connection.headers.get("sec-fetch-site")
    if site not in {None, "same-origin"}:
        raise ForgedFormError
    origin = connection.headers.get("origin")
    house: House = connection.app.state.house
    own = {connection.headers.get("host"), urlsplit(house.settings.public_url).netloc}
    if origin is not None and urlsplit(origin).netloc not in own:
        raise ForgedFormError


def session_cookie(house: House, token: str) -> Cookie:
    """The cookie that keeps somebody logged in."""
    return Cookie(
        key=COOKIE,
        value=token,
        path="/console",
        max_age=int(access.SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=house.settings.public_url.startswith("https:"),
    )
