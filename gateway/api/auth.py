"""Bearer keys on the API: a guard that knows who calls, and whether they may."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from gateway import access, store
from gateway.access import Scope
from gateway.house import House
from gateway.store import Key

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="deskbridge"'}


def require(*scopes: Scope) -> Guard:
    """A guard for routes that need a key with one of these scopes."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        key = await _identify(connection)
        if not any(access.may(key, scope) for scope in scopes):
            wanted = " or ".join(repr(scope.value) for scope in scopes)
            raise PermissionDeniedException(detail=f"the key {key.name!r} lacks the scope {wanted}")
        connection.scope["auth"] = key

    return guard


async def _identify(connection: ASGIConnection[Any, Any, Any, Any]) -> Key:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthorizedException(
            detail="send an API key as: Authorization: Bearer dbk_…", headers=CHALLENGE
        )
    house: House = connection.app.state.house
    async with house.engine.connect() as database:
        key = await store.find_key(database, access.digest(token.strip()))
    if key is None:
        raise NotAuthorizedException(detail="this API key is unknown or revoked", headers=CHALLENGE)
    return key
