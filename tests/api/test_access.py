"""Who gets in: keys, scopes, and what stays open."""

import hashlib

import httpx
import pytest
from support.bridge import Bridge
from support.desk import NewKey

from config.clock import utc_now
from gateway import store
from gateway.access import Scope

PROBLEM = "application/problem+json"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/openapi"])
async def test_health_metrics_and_description_are_open(bridge: Bridge, path: str) -> None:
    """Probes and tools come without a key."""
    assert (await bridge.http.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer dbk_wrong", "Basic dXNlcjpwYXNz", "dbk_no_scheme"]
)
async def test_no_key_or_a_wrong_one_is_401(bridge: Bridge, header: str | None) -> None:
    """The answer says how to authenticate, in problem+json."""
    headers = {"Authorization": header} if header else {}
    answer = await bridge.http.get("/v1/conversations", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["status"] == 401


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        (Scope.READ, "/v1/conversations", 200),
        (Scope.READ, "/v1/desk/hand-offs", 403),
        (Scope.DESK, "/v1/desk/hand-offs", 200),
        (Scope.DESK, "/v1/conversations", 403),
        (Scope.ADMIN, "/v1/conversations", 200),
        (Scope.ADMIN, "/v1/desk/hand-offs", 200),
    ],
)
async def test_a_key_opens_what_its_scopes_say(
    bridge: Bridge, new_key: NewKey, scope: Scope, path: str, status: int
) -> None:
    """A key without the scope is 403; admin opens everything."""
    answer = await bridge.http.get(path, headers={"Authorization": f"Bearer {await new_key(scope)}"})
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == PROBLEM
        assert "lacks the scope" in answer.json()["detail"]


async def test_a_reading_key_cannot_act_at_the_desk(bridge: Bridge, new_key: NewKey) -> None:
    """Reading is not writing."""
    headers = {"Authorization": f"Bearer {await new_key(Scope.READ)}"}
    answer = await bridge.http.post(
        "/v1/desk/hand-offs/1/claim", json={"agent": {"id": "x"}}, headers=headers
    )
    assert answer.status_code == 403


async def test_a_revoked_key_opens_nothing(bridge: Bridge, new_key: NewKey) -> None:
    """Revocation holds from the next request on."""
    headers = {"Authorization": f"Bearer {await new_key(Scope.READ, name='old')}"}
    assert (await bridge.http.get("/v1/conversations", headers=headers)).status_code == 200
    async with bridge.house.engine.begin() as connection:
        (key,) = await store.list_keys(connection)
        assert await store.revoke_key(connection, key.ref, now=utc_now())
    assert (await bridge.http.get("/v1/conversations", headers=headers)).status_code == 401


async def test_only_the_digest_of_a_key_is_kept(bridge: Bridge, new_key: NewKey) -> None:
    """The database does not know the key itself."""
    token = await new_key(Scope.READ)
    (row,) = await bridge.rows("SELECT digest, api_key::text AS everything FROM api_key")
    assert row.digest == hashlib.sha256(token.encode()).digest()
    assert token not in row.everything


async def test_what_does_not_exist_is_a_problem_too(api: httpx.AsyncClient) -> None:
    """Unknown paths and methods answer in the same form."""
    for answer in (await api.get("/v1/nothing"), await api.delete("/v1/conversations")):
        assert answer.status_code in {404, 405}
        assert answer.headers["content-type"] == PROBLEM


async def test_the_api_describes_itself(bridge: Bridge) -> None:
    """OpenAPI 3.1, every operation with a summary, none of the console's pages."""
    described = (await bridge.http.get("/v1/openapi")).json()
    assert described["openapi"].startswith("3.1")
    operations = {
        (path, method): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }
    assert ("/v1/desk/hand-offs/{ref}/reply", "post") in operations
    assert all(operation.get("summary") for operation in operations.values())
    assert not [path for path, _ in operations if path.startswith("/console")]
