"""Playing a customer's story through the helpdesk, and checking each step's outcome there."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from adapters.vendors.memory.records import Message
from gateway.demo.desk import DeskAgent
from gateway.demo.play import Customer, Expected, Step
from gateway.demo.theatre import LOOK_AGAIN, Theatre

PATIENCE = 20.0
SILENCE = 1.5
"""How long the AI must say nothing: longer than a burst and an answer take together."""
TYPING = 0.15
"""Between the messages of a burst, and before somebody interrupts."""


class Check(Struct, frozen=True, kw_only=True):
    """One expectation, and what was seen instead where it was not met."""

    customer: str
    expected: str
    seen: str = ""

    @property
    def met(self) -> bool:
        """Whether all was as expected."""
        return not self.seen


class Actor:
    """Plays one customer, and the people who meet them."""

    def __init__(self, number: int, customer: Customer, theatre: Theatre, desk: DeskAgent) -> None:
        self._id = f"cus_{number:02}"
        self._customer = customer
        self._helpdesk = theatre.helpdesk
        phrase = theatre.house.policies.phrase
        self._no_answer = {phrase("answer.nothing_found", language) for language in ("zh", "en")}
        self._desk = desk
        self.conversation_id = ""
        self.checks: list[Check] = []

    async def play(self) -> None:
        """Take all steps; the first that goes wrong ends the story, as later ones rest on it."""
        for step in self._customer.steps:
            seen = await self._take(step)
            self.checks.append(Check(customer=self._customer.name, expected=_expected(step), seen=seen))
            if seen:
                return

    async def _take(self, step: Step) -> str:
        try:
            if step.desk:
                await self._desk.act(self.conversation_id, step.desk, step.text)
                return await self._await(lambda: self._desk_shows(step), "the helpdesk never showed it")
            if step.agent:
                self._helpdesk.agent_says(self.conversation_id, step.agent)
                return ""
            return await self._speak(step)
        except Exception as error:  # noqa: BLE001 - the report tells; other customers play on
            return repr(error)

    async def _speak(self, step: Step) -> str:
        before = len(self._thread)
        for number, text in enumerate(step.words):
            if number:
                await asyncio.sleep(TYPING)
            self._say(text, step, first=number == 0)
        if step.interrupted:
            await asyncio.sleep(TYPING)
            self._helpdesk.agent_says(self.conversation_id, step.interrupted)
        return await self._watch(step.expect, before) if step.expect else ""

    def _say(self, text: str, step: Step, *, first: bool) -> None:
        # No await between a misbehaviour and what it is meant for: another customer could catch it.
        if first and step.hook:
            self._helpdesk.faults.add(structs.replace(step.hook))
        customer = self._customer
        said = self._helpdesk.customer_says(
            self._id,
            text,
            conversation_id=self.conversation_id or None,
            channel=customer.channel,
            name=customer.name,
            email=customer.email,
            attributes=dict(customer.attributes),
        )
        self.conversation_id = said.conversation_id
        if first and step.vendor:
            path = f"/api/conversations/{self.conversation_id}/messages"
            self._helpdesk.faults.add(structs.replace(step.vendor, method="POST", path=path))

    async def _watch(self, expected: Expected, before: int) -> str:
        if expected.silence:
            await asyncio.sleep(SILENCE)
            spoken = self._said_by_ai(before)
            return f"the AI said {spoken[0]!r}" if spoken else ""
        if expected.hand_off:
            note = f"· {expected.hand_off}\n"
            wrong = await self._await(lambda: self._noted(note, before), "no note for the person")
            return wrong or await self._await(lambda: bool(self._said_by_ai(before)), "no word of it")
        wrong = await self._await(lambda: bool(self._said_by_ai(before)), "no reply")
        return wrong or self._differs(expected, self._said_by_ai(before)[-1])

    def _differs(self, expected: Expected, reply: str) -> str:
        _, _, named = reply.rpartition("\n\n")
        match expected:
            case Expected(cites=title) if title:
                met = title in named and named != reply
            case Expected(reply="small talk"):
                met = named == reply and reply not in self._no_answer
            case _:
                met = reply in self._no_answer
        return "" if met else f"the AI said {reply!r}"

    async def _await(self, condition: Callable[[], bool], otherwise: str) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():  # noqa: ASYNC110 - the helpdesk tells nobody
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            return f"{otherwise} within {PATIENCE:g} s"
        return ""

    @property
    def _thread(self) -> Sequence[Message]:
        return self._helpdesk.state.thread(self.conversation_id) if self.conversation_id else ()

    def _said_by_ai(self, before: int) -> list[str]:
        return [m.text for m in self._thread[before:] if m.author == "bot" and not m.private]

    def _noted(self, rule: str, before: int) -> bool:
        return any(m.private and rule in m.text for m in self._thread[before:])

    def _desk_shows(self, step: Step) -> bool:
        match step.desk:
            case "reply":
                return any(m.author == "agent" and m.text == step.text for m in self._thread)
            case "resolve":
                return self._helpdesk.state.conversation(self.conversation_id).status == "resolved"
            case "return":
                return self._helpdesk.state.conversation(self.conversation_id).status == "pending"
            case _:
                return True


def _expected(step: Step) -> str:
    what = step.desk or step.agent or " / ".join(step.words)
    match step.expect:
        case None:
            return what
        case Expected(cites=title) if title:
            return f"{what} → {title}"
        case Expected(hand_off=rule) if rule:
            return f"{what} → hand-off by {rule}"
        case Expected(silence=True):
            return f"{what} → silence"
        case Expected(reply=reply):
            return f"{what} → {reply}"
