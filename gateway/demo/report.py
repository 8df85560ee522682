"""The report: what happened, from three sources that don't know of each other.

The helpdesk's log says what people saw, the gateway's metrics what it counted, its tables what it decided.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

import rules.store as rules_store
from adapters.vendors.memory.records import Message
from gateway.demo.acting import Actor, Check
from gateway.demo.findings import Findings, examine, percentile
from gateway.demo.play import Customer
from gateway.demo.theatre import CONNECTION, Theatre
from rules.engine import Fired
from rules.policy import HandOff
from rules.turns import TurnState
from rules.verdict import AnswerState
from sync.store import loading

COUNTED = {"deskbridge_webhooks_total": "webhooks", "deskbridge_attempts_total": "attempts"}


class HandOffs(Struct, frozen=True, kw_only=True):
    """How often one rule called a person, and why."""

    rule: str
    why: str
    count: int
    example: str
    """What one customer wanted."""


class Report(Struct, frozen=True, kw_only=True):
    """What the demo proves."""

    customers: int
    conversations: int
    channels: dict[str, int]
    languages: dict[str, int]
    messages: dict[str, int]
    turns: dict[str, int]
    answered_share: float
    """Of the turns that the AI took, how many it had something to say to."""
    hand_offs: tuple[HandOffs, ...]
    first_response_p50_ms: int
    first_response_p95_ms: int
    duplicates_sent: int
    duplicates_dropped: int
    retries: int
    looked_up: int
    """Replies whose outcome was unknown and that were found at the helpdesk, not sent again."""
    overtaken: int
    """Turns that a person answered before the AI could."""
    doubled_messages: int
    second_voices: int
    expectations: int
    failures: tuple[str, ...]
    seconds: float


class Tale(Struct, frozen=True, kw_only=True):
    """What the gateway recorded of one conversation."""

    turns: tuple[TurnState, ...]
    fired: tuple[Fired, ...]

    @property
    def overtaken(self) -> int:
        """Turns that a person ended, though no rule had called one."""
        called = {fired.turn for fired in self.fired}
        return sum(t.answer is None and t.ended_by == "person" and t.number not in called for t in self.turns)


async def make_report(theatre: Theatre, cast: Sequence[tuple[Customer, Actor]], *, took: timedelta) -> Report:
    """Gather everything, once all is quiet."""
    helpdesk = theatre.helpdesk
    findings = examine(helpdesk.messages, helpdesk.requests, helpdesk.deliveries)
    tales = await _tales(theatre)
    counted = await _counted(theatre)
    turns = [turn for tale in tales.values() for turn in tale.turns]
    checks = [check for _, actor in cast for check in actor.checks]
    checks += [_judged(customer, tales.get(actor.conversation_id)) for customer, actor in cast]
    checks += _agreed(findings, counted)
    return Report(
        customers=len(cast),
        conversations=len(helpdesk.state.conversations),
        channels=dict(Counter(c.channel for c in helpdesk.state.conversations.values())),
        languages=dict(Counter("zh" if _is_chinese(customer) else "en" for customer, _ in cast)),
        messages=dict(Counter("note" if m.private else m.author for m in helpdesk.messages)),
        turns=dict(Counter(turn.verdict for turn in turns)),
        answered_share=_answered_share(turns),
        hand_offs=_hand_offs(theatre, tales.values()),
        first_response_p50_ms=_milliseconds(percentile(findings.first_responses, 0.5)),
        first_response_p95_ms=_milliseconds(percentile(findings.first_responses, 0.95)),
        duplicates_sent=findings.redelivered,
        duplicates_dropped=counted["webhooks", "duplicate"],
        retries=counted["attempts", "retry"] + counted["attempts", "unknown"],
        looked_up=counted["attempts", "found"],
        overtaken=sum(tale.overtaken for tale in tales.values()),
        doubled_messages=len(findings.doubled),
        second_voices=len(findings.second_voices),
        expectations=len(checks),
        failures=tuple(f"{c.customer}: {c.expected}: {c.seen}" for c in checks if not c.met),
        seconds=round(took.total_seconds(), 1),
    )


async def _tales(theatre: Theatre) -> dict[str, Tale]:
    async with theatre.house.engine.connect() as connection:
        addresses = [(CONNECTION, name) for name in theatre.helpdesk.state.conversations]
        refs = {thread.ref: name for (_, name), thread in (await loading.load(connection, addresses)).items()}
        histories, fired = await rules_store.load_pasts(connection, refs)
    return {
        name: Tale(turns=tuple(histories[ref].turns), fired=tuple(fired.get(ref, ())))
        for ref, name in refs.items()
    }


async def _counted(theatre: Theatre) -> Counter[tuple[str, str]]:
    """The gateway's own counts by outcome, from its metrics page."""
    page = (await theatre.http.get("/metrics")).text
    counted: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in COUNTED:
                counted[COUNTED[sample.name], sample.labels["outcome"]] += int(sample.value)
    return counted


def _judged(customer: Customer, tale: Tale | None) -> Check:
    """Whether the turns got the verdicts that the play foresees: as many, in this order."""
    verdicts = [turn.verdict for turn in tale.turns] if tale else []
    met = verdicts == list(customer.turns)
    return Check(
        customer=customer.name,
        expected=f"turns {', '.join(customer.turns)}",
        seen="" if met else f"turns {', '.join(verdicts) or 'none'}",
    )


def _agreed(findings: Findings, counted: Counter[tuple[str, str]]) -> list[Check]:
    """Where helpdesk and gateway must tell the same, and what must never happen."""
    dropped = counted["webhooks", "duplicate"]
    return [
        _never("a message shown twice", findings.doubled),
        _never("a second voice", findings.second_voices),
        Check(
            customer="everyone",
            expected=f"{findings.redelivered} duplicate webhooks dropped",
            seen="" if dropped == findings.redelivered else f"{dropped} dropped",
        ),
    ]


def _never(what: str, seen: Sequence[str]) -> Check:
    return Check(customer="everyone", expected=f"never {what}", seen=" | ".join(seen))


def _hand_offs(theatre: Theatre, tales: Iterable[Tale]) -> tuple[HandOffs, ...]:
    calls = {
        (policy.name, rule.name): action.reason
        for policy in theatre.house.policies.all
        for rule in policy.rules
        for action in rule.then
        if isinstance(action, HandOff)
    }
    counts = Counter((f.policy, f.rule) for tale in tales for f in tale.fired if (f.policy, f.rule) in calls)
    return tuple(
        HandOffs(rule=key[1], why=calls[key], count=count, example=_goal(key[1], theatre.helpdesk.messages))
        for key, count in counts.most_common()
    )


def _goal(rule: str, messages: Iterable[Message]) -> str:
    """What the first customer wanted whom this rule handed off, from the note that the agent reads."""
    notes = (m.text for m in messages if m.private and f"· {rule}\n" in m.text)
    lines = next(notes, "").splitlines()
    return next((line.removeprefix("Goal: ") for line in lines if line.startswith("Goal: ")), "")


def _answered_share(turns: Sequence[TurnState]) -> float:
    taken = [turn for turn in turns if turn.answer is not None]
    sent = sum(turn.answer_state is AnswerState.SENT for turn in taken)
    return round(sent / len(taken), 3) if taken else 0.0


def _is_chinese(customer: Customer) -> bool:
    return not customer.name.isascii()


def _milliseconds(wait: timedelta) -> int:
    return round(wait.total_seconds() * 1000)
