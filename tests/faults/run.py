"""make faults: thousands of customers, everything going wrong, and a checker that trusts nobody.

`python -m tests.faults.run --seed N --minutes M --conversations C`
"""

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated, Any

import httpx
import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from config.settings import PACKAGED
from rules.policy import load_policies
from tests.faults.checker import check
from tests.faults.customers import Customer, Desk, Feed
from tests.faults.evidence import Evidence, VendorLog
from tests.faults.ground import Ground, prepared
from tests.faults.injector import Injector
from tests.faults.plan import make_plan
from tests.faults.report import Result, render
from tests.faults.stories import QUESTIONS, arrivals, write_story

CALM = 20.0
QUIET = 5.0
"""How long nothing may happen before it counts as quiet, in seconds."""
POLLED_WITHIN = timedelta(seconds=60)
"""How soon polling has found what was dropped, with restarts, failures and a new leader on the way."""
PATIENCE = 300.0
"""How long it may take until it is quiet: longer than a claim (60 s) and the longest pause between tries."""
SAY_EVERY = 15.0

Say = Callable[[str], None]


class Run:
    """One run, from the calm before to the check after."""

    def __init__(self, ground: Ground, *, seed: int, minutes: float, conversations: int) -> None:
        self._ground = ground
        self._seed = seed
        self._seconds = minutes * 60
        self._count = conversations
        self._feeds = [Feed(name, url) for name, url in ground.vendor_urls.items()]
        self._desk = Desk(ground.serve_urls, ground.api_key, seed)
        self._http = httpx.AsyncClient(trust_env=False, timeout=30.0)
        self._injector = Injector(ground, self._http)
        self._customers: list[Customer] = []
        self._beside: list[asyncio.Task[None]] = []
        self.begun = self.ended = 0

    async def play(self, say: Say) -> Result:
        """Everything; `say` is told how far it is."""
        for feed in self._feeds:
            self._start(feed.follow())
        answers = await self._learn_answers()
        say(f"learnt {len(answers)} answers in calm; now faults for {self._seconds:.0f} s")
        plan = make_plan(self._seed, self._seconds, drops=True)
        desk = self._start(self._desk.work())
        self._start(self._tell(say))
        playing = self._start(self._receive_customers())
        self._start(self._injector.keep_running())
        await self._injector.run(plan)
        await self._injector.make_peace()
        say("no more faults; waiting for the last customers")
        await playing
        desk.cancel()
        await self._desk.finish()
        say("no more customers; waiting for quiet")
        quiet = await self._quieten()
        evidence = await self._gather(answers, quiet=quiet)
        return Result(
            seed=self._seed,
            evidence=evidence,
            violations=check(evidence),
            planned=frozenset(each.kind for each in plan),
            waits=[wait for customer in self._customers for wait in customer.waits],
            gave_up=sum(customer.gave_up for customer in self._customers),
            directory=str(self._ground.directory),
        )

    async def aclose(self) -> None:
        """End what goes on beside, and every connection."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        for http in (self._http, self._desk.http, *(feed.http for feed in self._feeds)):
            await http.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._beside.append(task)
        return task

    async def _learn_answers(self) -> dict[str, str]:
        """Ask every question once while nothing is wrong; answers that two questions share are left out."""
        feed = self._feeds[0]
        questions = [question for each in QUESTIONS.values() for question in each]
        found = await asyncio.gather(*(self._learn(feed, n, q) for n, q in enumerate(questions)))
        answers = {answer: question for answer, question in found if answer}
        twice = [a for a, _ in found if a and sum(a == other for other, _ in found) > 1]
        return {answer: question for answer, question in answers.items() if answer not in twice}

    async def _learn(self, feed: Feed, number: int, question: str) -> tuple[str, str]:
        said = await feed.post(f"/customers/learner{number}/say", text=question)
        where = said["conversation_id"]
        await feed.until(where, lambda thread: any(e.by == "bot" and e.message for e in thread), CALM)
        replies = [e.message.text for e in feed.threads[where] if e.message and e.message.author == "bot"]
        return (replies[0] if replies else "", question)

    async def _receive_customers(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, at in enumerate(arrivals(self._seed, self._count, self._seconds)):
                await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                story = write_story(self._seed, number, vendors=len(self._feeds))
                customer = Customer(story, self._feeds[story.vendor])
                self._customers.append(customer)
                group.create_task(self._entertain(customer))

    async def _entertain(self, customer: Customer) -> None:
        self.begun += 1
        await customer.play()
        self.ended += 1

    async def _tell(self, say: Say) -> None:
        while True:
            await asyncio.sleep(SAY_EVERY)
            say(
                f"{self.ended} of {self.begun} conversations over ({self._count} to come in all), "
                f"{len(self._injector.struck)} blows to our own parts, {len(self._desk.deeds)} desk deeds"
            )

    async def _quieten(self) -> bool:
        """Wait until nothing is under way and nothing has happened for a while; says whether that came."""
        deadline = time.monotonic() + PATIENCE
        calm_since, seen = time.monotonic(), -1
        while time.monotonic() < deadline:
            happened = sum(len(feed.happened) for feed in self._feeds)
            if happened != seen or await self._ground.under_way():
                calm_since, seen = time.monotonic(), happened
            if time.monotonic() - calm_since > QUIET:
                return True
            await asyncio.sleep(0.3)
        return False

    async def _gather(self, answers: dict[str, str], *, quiet: bool) -> Evidence:
        return Evidence(
            vendors=[await self._read_log(feed) for feed in self._feeds],
            deeds=self._desk.deeds,
            parked=await self._ground.parked(),
            answers=answers,
            courtesies=_courtesies(),
            struck=self._injector.struck,
            polled_within=POLLED_WITHIN,
            quiet=quiet,
        )

    async def _read_log(self, feed: Feed) -> VendorLog:
        await feed.read()
        log = (await feed.http.get("/log")).json()
        return VendorLog(
            name=feed.name,
            happened=feed.happened,
            **{
                name: msgspec.convert(log[name], VendorLog.__annotations__[name])
                for name in ("requests", "deliveries")
            },
        )


def _courtesies() -> frozenset[str]:
    return frozenset(
        policy.message(key, language)
        for policy in load_policies(PACKAGED / "policies")
        for key in ("answer.nothing_found", "answer.failed")
        for language in ("en", "zh")
    )


async def run(*, seed: int, minutes: float, conversations: int, say: Say, keep: bool = False) -> Result:
    """Start everything, play, check, end everything."""
    async with prepared(seed) as ground:
        say(f"seed {seed}; logs in {ground.directory}")
        played = Run(ground, seed=seed, minutes=minutes, conversations=conversations)
        try:
            result = await played.play(say)
        finally:
            await played.aclose()
        ground.keep = keep or not result.good
        return result


def main(
    seed: Annotated[int | None, typer.Option(help="Play this plan and these stories again.")] = None,
    minutes: Annotated[float, typer.Option(help="How long faults are injected.")] = 20.0,
    conversations: Annotated[int, typer.Option(help="How many customers come.")] = 2000,
    *,
    keep: Annotated[bool, typer.Option(help="Leave the logs and the database where they are.")] = False,
) -> None:
    """Inject faults while customers talk, then check every promise; exits 1 where one was broken."""
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    out = Console(highlight=False, markup=False)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=out) as bar:
        bar.add_task(f"seed {chosen}", total=None)
        result = uvloop.run(
            run(seed=chosen, minutes=minutes, conversations=conversations, say=bar.log, keep=keep)
        )
    for line in render(result):
        out.print(line, soft_wrap=True)
    sys.exit(0 if result.good else 1)


if __name__ == "__main__":
    typer.run(main)
