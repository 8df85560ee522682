"""Scripted customers and agents at the vendors, and the people at our own desk."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, assert_never

import httpx
import msgspec

from adapters.vendors.memory.records import Happened
from tests.faults.evidence import Deed
from tests.faults.stories import AgentAssigned, AgentSays, AgentSets, DeskWorks, Pauses, Says, Step, Story

PATIENCE = 90.0
"""How long a customer waits for a word before they give up and leave."""
LOOK_EVERY = 0.15
CLAIMERS = 3


class Feed:
    """What happens at one vendor, as it happens."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.http = httpx.AsyncClient(base_url=f"{url}/control", trust_env=False, timeout=30.0)
        self.happened: list[Happened] = []
        self.threads: dict[str, list[Happened]] = defaultdict(list)
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Read on until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(LOOK_EVERY)

    async def read(self) -> None:
        """Read what has happened since."""
        response = await self.http.get("/happened", params={"after": len(self.happened)})
        fresh = msgspec.convert(response.json()["items"], list[Happened])
        for each in fresh:
            if each.conversation_id is not None:
                self.threads[each.conversation_id].append(each)
        self.happened += fresh
        if fresh:
            async with self._news:
                self._news.notify_all()

    async def until(self, conversation: str, found: Callable[[list[Happened]], bool], within: float) -> bool:
        """Wait until the conversation's thread is as `found` wants it; says whether it came to that."""
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: found(self.threads[conversation]))
        except TimeoutError:
            return False
        return True

    async def post(self, path: str, **body: Any) -> Any:
        """Direct the play."""
        response = await self.http.post(path, json=body)
        response.raise_for_status()
        return response.json()


class Customer:
    """Plays one story."""

    def __init__(self, story: Story, feed: Feed) -> None:
        self._story = story
        self._feed = feed
        self._id: str | None = None
        self.gave_up = 0
        self.waits: list[float] = []

    async def play(self) -> None:
        """From the first word to the last."""
        for step in self._story.steps:
            await self._take(step)

    async def _take(self, step: Step) -> None:
        match step:
            case Says():
                await self._say(step)
            case AgentSays():
                await asyncio.sleep(step.after)
                await self._control("agent_say", text=step.text, agent_id=step.agent)
            case AgentAssigned():
                await asyncio.sleep(step.after)
                await self._control("assignee", agent_id=step.agent)
            case AgentSets():
                await asyncio.sleep(step.after)
                await self._control("status", status=step.status)
            case DeskWorks():
                await self._until(_desk_is_done)
            case Pauses():
                await asyncio.sleep(step.seconds)
            case _:
                assert_never(step)

    async def _control(self, what: str, **body: Any) -> None:
        await self._feed.post(f"/conversations/{self._id}/{what}", **body)

    async def _say(self, step: Says) -> None:
        said: dict[str, Any] = {}
        for gap, text in zip((0.0, *step.gaps), step.texts, strict=True):
            await asyncio.sleep(gap)
            said = await self._feed.post(
                f"/customers/c{self._story.number}/say",
                text=text,
                conversation_id=self._id,
                channel=self._story.channel,
                name=f"Customer {self._story.number}",
                language=self._story.language,
            )
            self._id = said["conversation_id"]
        if step.waits:
            asked = datetime.now(UTC)
            await self._until(lambda thread: _settled(thread, said["id"]))
            self.waits.append((datetime.now(UTC) - asked).total_seconds())

    async def _until(self, found: Callable[[list[Happened]], bool]) -> None:
        assert self._id is not None
        if not await self._feed.until(self._id, found, PATIENCE):
            self.gave_up += 1


def _settled(thread: list[Happened], message_id: str) -> bool:
    """Whether somebody answered after that message, or a person took over."""
    places = [n for n, each in enumerate(thread) if each.message and each.message.id == message_id]
    return bool(places) and any(_is_word(each) for each in thread[places[0] + 1 :])


def _is_word(each: Happened) -> bool:
    if each.message is not None:
        return each.message.author in {"bot", "agent"} and not each.message.private
    return each.status in {"open", "resolved"} and each.by in {"bot", "agent"}


def _desk_is_done(thread: list[Happened]) -> bool:
    """Whether our desk, or a person at the helpdesk, has let go of it since it was handed over."""
    opened = [n for n, each in enumerate(thread) if each.status == "open" and each.by == "bot"]
    return bool(opened) and any(each.status in {"resolved", "pending"} for each in thread[opened[-1] :])


class Desk:
    """The people at our own desk: they claim, reply, resolve or return, through the API."""

    def __init__(self, urls: list[str], key: str, seed: int) -> None:
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {key}"}
        self._dice = random.Random(f"desk-{seed}")
        self.http = httpx.AsyncClient(trust_env=False, timeout=12.0)
        self._taken: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = iter(range(1, 1_000_000))
        self.deeds: list[Deed] = []

    async def work(self) -> None:
        """Take what is offered until cancelled."""
        while True:
            for offered in await self._offered():
                if offered["ref"] not in self._taken:
                    self._taken.add(offered["ref"])
                    task = asyncio.create_task(self._serve(offered))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0.5)

    async def finish(self) -> None:
        """Let those who are at it come to their end."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _offered(self) -> list[Any]:
        url = self._dice.choice(self._urls)
        try:
            page = await self.http.get(
                f"{url}/v1/desk/hand-offs?state=offered&limit=50", headers=self._headers
            )
        except httpx.HTTPError:
            return []
        return list(page.json()["items"]) if page.is_success else []

    async def _serve(self, offered: dict[str, Any]) -> None:
        agent = {"id": f"desk_{self._dice.randint(1, CLAIMERS)}", "name": "Mei"}
        await asyncio.sleep(self._dice.uniform(0.0, 2.0))
        steps = [("claim", "")]
        replies = range(self._dice.randint(1, 3))
        steps += [("reply", f"Mei here, reply {next(self._numbers)}") for _ in replies]
        steps.append(("resolve" if self._dice.random() < 0.7 else "return", ""))
        for action, text in steps:
            if not await self._act(offered, agent, action, text):
                return
            await asyncio.sleep(self._dice.uniform(0.0, 1.0))

    async def _act(self, offered: dict[str, Any], agent: dict[str, str], action: str, text: str) -> bool:
        """Ask until there is a definite answer; says whether the API did it."""
        deed = Deed(
            connection=offered["connection"],
            conversation_id=offered["conversation_id"],
            action=action,
            text=text,
            asked_at=datetime.now(UTC),
        )
        self.deeds.append(deed)
        headers = {**self._headers, "Idempotency-Key": f"deed-{len(self.deeds)}"}
        body = {"agent": agent} | ({"text": text} if text else {})
        for _ in range(60):
            url = self._dice.choice(self._urls)
            try:
                answer = await self.http.post(
                    f"{url}/v1/desk/hand-offs/{offered['ref']}/{action}", json=body, headers=headers
                )
            except httpx.HTTPError:
                await asyncio.sleep(0.5)
                continue
            if answer.status_code < 500:
                deed.status, deed.answered_at = answer.status_code, datetime.now(UTC)
                return deed.done
            await asyncio.sleep(0.5)
        return False
