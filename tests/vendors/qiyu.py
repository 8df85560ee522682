"""A made-up 七鱼: visitors, a robot, people at work, queues, a message box; it checks and sends checksums.

As printed in its documentation: whoever writes without having asked for a person gets the robot; asking for
a person gives one, a place in the queue (14006), the message box (14005), or nothing (14010).
"""

import asyncio
import hashlib
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Raw = dict[str, Any]

KEY, SECRET = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "qiyu-app-secret"
ROBOT: Raw = {"staffId": 9, "staffName": "小晴机器人", "staffType": 0, "staffIcon": "https://files.example/9"}
_MODEL = {"title": "服务评价", "type": 2, "list": [{"name": "满意", "value": 100}]}
_FORM = re.compile(rb'name="file"; filename="([^"]*)".*?\r\n\r\n(.*)\r\n--', re.DOTALL)


def checksum(secret: str, covered: bytes, at: str) -> str:
    """As the documentation words it."""
    md5 = hashlib.md5(covered).hexdigest().lower()
    return hashlib.sha1((secret + md5 + at).encode()).hexdigest()


@dataclass
class Staff:
    """A person at Qiyu: how many visitors they take, and how many they have."""

    number: int
    name: str
    group: int = 1
    room: int = 5
    online: bool = True

    def shown(self) -> Raw:
        """As Qiyu names them."""
        icon = f"https://files.example/{self.number}"
        return {"staffId": self.number, "staffName": self.name, "staffType": 1, "staffIcon": icon}


@dataclass
class Visitor:
    """What Qiyu knows of a visitor."""

    uid: str
    profile: dict[str, Raw] = field(default_factory=dict)
    said: list[tuple[str, Any]] = field(default_factory=list)
    boxed: list[str] = field(default_factory=list)
    staff: Staff | None = None
    robot: bool = False
    session: int = 0
    waits: bool = False
    """In the queue."""


class FakeQiyu(httpx.AsyncBaseTransport):
    """The vendor; give `hook` the address of the connection's hook, and await `drain()` to let it be told.

    `robot` answers a visitor's text, or is `None` where the account has none. `box` is whether messages can
    be left while nobody is there. `fails` makes the next answer this one.
    """

    def __init__(self, *, hook: str = "", key: str = KEY, secret: str = SECRET) -> None:
        self.hook, self.key, self.secret = hook, key, secret
        self.people = [Staff(2041, "林微"), Staff(2055, "周敏", group=77)]
        self.visitors: dict[str, Visitor] = {}
        self.robot: Callable[[str], str] | None = lambda text: f"您是问“{text}”吗？"
        self.box = True
        self.files: dict[str, bytes] = {}
        self.fails: Raw | None = None
        self.log: list[tuple[str, Raw]] = []
        self.answers: list[tuple[str, int, bytes]] = []
        self.times = 3
        """How often an event is sent until it is answered with the empty string."""
        self._sessions = itertools.count(730041)
        self._messages = itertools.count(1)
        self._sending: list[asyncio.Task[None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the company's server; the status is always 200."""
        await request.aread()
        path, query = request.url.path, request.url.params
        form = _FORM.search(request.content) if path.endswith("uploadFile") else None
        covered = form.group(2) if form else request.content
        if wrong := self._wrong(query, covered):
            return httpx.Response(200, json=wrong)
        if form:
            url = f"https://files.example/{len(self.files)}/{form.group(1).decode()}"
            self.files[url] = covered
            self.log.append((path, {"bytes": len(covered)}))
            return _answer(200, url=url)
        try:
            body = json.loads(request.content)
        except ValueError:
            return _answer(14004)
        self.log.append((path, body))
        return self._answer(path, body)

    def _wrong(self, query: httpx.QueryParams, covered: bytes) -> Raw | None:
        if query.get("appKey") != self.key:
            return {"code": 14001}
        if abs(time.time() - float(query.get("time", 0))) > 300:
            return {"code": 14003}
        if query.get("checksum") != checksum(self.secret, covered, query["time"]):
            return {"code": 14002}
        fails, self.fails = self.fails, None
        return fails

    def _answer(self, path: str, body: Raw) -> httpx.Response:
        visitor = self.visitors.setdefault(body["uid"], Visitor(body["uid"]))
        match path.rpartition("/")[2]:
            case "applyStaff":
                return self._apply(visitor, body)
            case "send":
                return self._hear(visitor, body)
            case "updateUInfo":
                visitor.profile |= {item["key"]: item for item in body["userinfo"]}
                return _answer(200)
            case "queryQueueStatus" if visitor.staff or visitor.waits:
                return _answer(200, count=-1 if visitor.staff else self._before(visitor))
            case "queryQueueStatus":
                return _answer(14007, message="用户没有请求过客服")
            case _:
                return httpx.Response(404)

    def _apply(self, visitor: Visitor, body: Raw) -> httpx.Response:
        wanted = self._wanted(body)
        if visitor.staff in wanted:
            return _answer(200, **self._session(visitor))
        online = [each for each in wanted if each.online]
        if not online:
            code = 14005 if self.box else 14010
            return _answer(code, message="当前没有客服在线")
        free = next((each for each in online if self._load(each) < each.room), None)
        if free is None:
            visitor.waits = True
            return _answer(14006, message="排队中", count=self._before(visitor))
        if visitor.robot:
            self.end(visitor.uid, 3)
        elif visitor.staff:
            self.end(visitor.uid, 5)
        self._take(visitor, free)
        return _answer(200, **self._session(visitor))

    def _wanted(self, body: Raw) -> list[Staff]:
        match body:
            case {"staffId": number}:
                return [each for each in self.people if each.number == number]
            case {"groupId": group}:
                return [each for each in self.people if each.group == group]
            case _:
                return self.people

    def _hear(self, visitor: Visitor, body: Raw) -> httpx.Response:
        visitor.said.append((body["msgType"], body["content"]))
        text = body["content"] if body["msgType"] == "TEXT" else ""
        if visitor.staff or visitor.waits:
            return _answer(200)
        if self.robot is None:
            visitor.boxed.append(text)
        else:
            if not visitor.robot:
                visitor.robot, visitor.session = True, next(self._sessions)
            self.robot_says(visitor.uid, self.robot(text))
        return _answer(200)

    def robot_says(self, uid: str, text: str) -> None:
        """The robot writes to a visitor."""
        self._say(uid, ROBOT, text)

    def agent_says(self, uid: str, text: str, **more: Any) -> Raw:
        """The person who has the visitor writes; whoever is first, if nobody has them."""
        staff = self.visitors[uid].staff or self.people[0]
        told = {name: value for name, value in staff.shown().items() if name in {"staffId", "staffName"}}
        return self._say(uid, told, text, **more)

    def _say(self, uid: str, by: Raw, text: str, **more: Any) -> Raw:
        said = {
            "uid": uid,
            "content": text,
            "timeStamp": int(time.time() * 1000),
            "msgId": f"{next(self._messages):032x}",
            "msgType": "TEXT",
        }
        said |= {name: value for name, value in by.items() if name != "staffIcon"} | more
        self.tell("MSG", said)
        return said

    def start(self, uid: str, staff: Staff) -> None:
        """A person begins a session with a visitor: by themselves, or out of the queue."""
        visitor = self.visitors.setdefault(uid, Visitor(uid))
        self._take(visitor, staff)
        self.tell("SESSION_START", {"code": 200, "uid": uid, **self._session(visitor)})

    def transfer(self, uid: str, to: Staff) -> None:
        """The session goes to another person: one ends, one begins."""
        visitor = self.visitors[uid]
        old = visitor.session
        self.end(uid, 5, transferTo=old + 1)
        self._take(visitor, to)
        body = {"code": 200, "uid": uid, **self._session(visitor), "transferFrom": old}
        self.tell("SESSION_START", body)

    def end(self, uid: str, reason: int, **more: Any) -> None:
        """The session ends: 0 closed, 2 silence, 3 from robot to person, 4 the agent left, 5 elsewhere."""
        visitor = self.visitors[uid]
        self.tell(
            "SESSION_END",
            {"code": 200, "uid": uid, **self._session(visitor), "closeReason": reason, **more},
        )
        visitor.staff, visitor.robot, visitor.session = None, False, 0

    def invite(self, uid: str) -> None:
        """The person asks the visitor for their opinion."""
        told = self._session(self.visitors[uid])
        told = {name: value for name, value in told.items() if name not in {"message", "evaluationModel"}}
        self.tell("EVA_INVITATION", {"uid": uid, **told})

    def _take(self, visitor: Visitor, staff: Staff) -> None:
        visitor.staff, visitor.robot, visitor.waits = staff, False, False
        visitor.session = next(self._sessions)

    def _session(self, visitor: Visitor) -> Raw:
        who = visitor.staff.shown() if visitor.staff else ROBOT
        model = {"evaluationModel": _MODEL} if visitor.staff else {}
        return who | {"sessionId": visitor.session, "message": "您好，很高兴为您服务"} | model

    def _load(self, staff: Staff) -> int:
        return sum(each.staff is staff for each in self.visitors.values())

    def _before(self, visitor: Visitor) -> int:
        return [each for each in self.visitors.values() if each.waits].index(visitor)

    def tell(self, kind: str, body: Raw) -> None:
        """Send an event, again and again until it is answered with the empty string."""
        if self.hook:
            content = json.dumps(body, ensure_ascii=False).encode()
            self._sending.append(asyncio.create_task(self._send(self._sending[-1:], kind, content)))

    async def _send(self, before: list[asyncio.Task[None]], kind: str, content: bytes) -> None:
        await asyncio.gather(*before)
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(self.times):
                at = str(int(time.time()))
                query = {"eventType": kind, "time": at, "checksum": checksum(self.secret, content, at)}
                headers = {"Content-Type": "application/json;charset=utf-8"}
                answer = await http.post(self.hook, params=query, content=content, headers=headers)
                self.answers.append((kind, answer.status_code, answer.content))
                if (answer.status_code, answer.content) == (200, b""):
                    return

    async def drain(self) -> None:
        """Wait until all is told."""
        await asyncio.gather(*self._sending)


def _answer(code: int, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"code": code, **more})
