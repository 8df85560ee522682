"""The agent at the in-house desk, who works through the API like any desk would."""

from typing import Any

import httpx

from adapters.model import Person

AGENT = Person(id="wen", name="Wen")
HAND_OFFS = "/v1/desk/hand-offs"
MOST = 200


class DeskRefusedError(RuntimeError):
    """The API did not do what the agent asked for."""


class DeskAgent:
    """Claims, replies, resolves and returns over HTTP."""

    def __init__(self, http: httpx.AsyncClient, *, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def act(self, conversation_id: str, action: str, text: str) -> None:
        """Do one thing with a conversation's open hand-off. Raises DeskRefusedError."""
        ref = await self._find(conversation_id)
        body = {"agent": {"id": AGENT.id, "name": AGENT.name}} | ({"text": text} if text else {})
        await self._call("POST", f"{HAND_OFFS}/{ref}/{action}", json=body)

    async def _find(self, conversation_id: str) -> int:
        waiting = await self._call("GET", HAND_OFFS, params={"limit": MOST})
        for item in waiting["items"]:
            if item["conversation_id"] == conversation_id:
                return int(item["ref"])
        raise DeskRefusedError(f"no hand-off of {conversation_id} is open")

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = await self._http.request(method, path, headers=self._headers, **options)
        if not answer.is_success:
            raise DeskRefusedError(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()
