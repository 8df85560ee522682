"""The independent checker. Pure; it knows the vendors' logs, the customers and the API's answers alone.

**Lost.** A customer's message is *due* when the gateway acknowledged its webhook with a 2xx (or polling
should have found it) and the AI had the conversation then: since a person last took it (spoke, was assigned
it, opened it; or a hand-off opened it) it had been resolved or returned. It must be so both by the vendor's
order and by the order in which the
gateway was told: nobody can act on what they were not told. A due message is lost unless after it, in the
vendor's order, somebody answered (an AI reply, a person's word), a person took the conversation or a hand-off
opened it for people, it was resolved, or something of that conversation was explicitly parked. A reply that
is known to answer an earlier question answers nothing later. And a desk reply that the API acknowledged is
lost unless it stands at the vendor (or is parked).

**Doubled.** A message of ours stands twice when two have its token; when a public or private text of the AI
stands twice in a conversation with no word of the customer's in between (but for the courtesies, where only
the number counts); when the AI has spoken more often than the customer has; when a desk reply's text stands
twice, or stands though the API refused it. A status is doubled when we set it with effect more often than
hand-offs (for `open`), the desk's resolves (`resolved`) and returns (`pending`) can account for.

**Second voice.** A person has the conversation from the moment when the gateway acknowledged the webhook that
told of it (or the API the claim), until it is resolved or returned. A claim at the desk and a resolving at
the helpdesk have no clock in common: they come in the order in which the gateway hears of them. An AI message
is a second voice when its request reached the vendor more than ON_THE_WIRE after that moment, and it stands
after what the person did in the vendor's order. ON_THE_WIRE is what a request may take that had been claimed
before the acknowledgement: claiming, checking and sending it, on a busy machine.

**Order.** Replies that are known to answer a question come in the order of the questions that webhooks told
of; a desk agent's in the order in which the API acknowledged them.

**Echo.** Writes per conversation are bounded by what people did in it and by the faults they met; and once
the customers have stopped, traffic dies out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from tests.faults.evidence import Deed, Evidence
from tests.faults.threads import Entry, Thread, threads_of

ON_THE_WIRE = timedelta(seconds=2)


class Promise(StrEnum):
    """What was broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    SECOND_VOICE = "second voice"
    ORDER = "order"
    ECHO = "echo"
    PARKED = "parked"


class Violation(Struct, frozen=True, kw_only=True):
    """A promise that was broken in a conversation, and how."""

    promise: Promise
    connection: str
    conversation_id: str
    what: str


def check(evidence: Evidence) -> list[Violation]:
    """All that was broken."""
    parked = {(connection, conversation) for connection, conversation, _ in evidence.parked}
    found = [
        Violation(promise=promise, connection=thread.connection, conversation_id=thread.id, what=what)
        for thread in threads_of(evidence)
        for promise, what in _check_thread(thread, evidence, parked=(thread.connection, thread.id) in parked)
    ]
    for connection, conversation, why in evidence.parked:
        if why.startswith("event: "):
            what = f"an event that was fit to be worked was parked: {why}"
            found.append(
                Violation(
                    promise=Promise.PARKED, connection=connection, conversation_id=conversation, what=what
                )
            )
    if not evidence.quiet:
        what = "traffic went on after the customers had stopped"
        found.append(Violation(promise=Promise.ECHO, connection="*", conversation_id="*", what=what))
    return found


def _check_thread(thread: Thread, evidence: Evidence, *, parked: bool) -> Iterator[tuple[Promise, str]]:
    if not parked:
        yield from ((Promise.LOST, what) for what in _lost(thread, evidence.answers))
    yield from ((Promise.LOST, what) for what in _lost_deeds(thread, parked=parked))
    for broken in (_doubled_messages(thread, evidence.courtesies), _doubled_deeds(thread), _statuses(thread)):
        yield from ((Promise.DOUBLED, what) for what in broken)
    yield from ((Promise.SECOND_VOICE, what) for what in _second_voices(thread))
    yield from ((Promise.ORDER, what) for what in _disorder(thread, evidence.answers))
    yield from ((Promise.ECHO, what) for what in _too_much(thread))


# --- lost ---------------------------------------------------------------------------------------------


def due(thread: Thread) -> list[Entry]:
    """The customer's messages that wanted an answer from us."""
    by_vendor = _asked_of_ai(thread, lambda entry: entry.what.at)
    by_told = _asked_of_ai(thread, lambda entry: entry.known_at if entry.at_the_helpdesk else entry.what.at)
    return [entry for entry in by_vendor if entry.known_at is not None and entry in by_told]


def unclear(thread: Thread) -> int:
    """How many messages would be due by one order of events, but not by the other."""
    by_vendor = [e for e in _asked_of_ai(thread, lambda entry: entry.what.at) if e.known_at is not None]
    return len(by_vendor) - len(due(thread))


def _asked_of_ai(thread: Thread, moment: Callable[[Entry], datetime | None]) -> list[Entry]:
    takings = {entry.place for entry in thread.takings()}
    ordered = [(at, entry.place, entry) for entry in thread.entries if (at := moment(entry)) is not None]
    turns: list[tuple[datetime, int, Entry | Deed]] = [*ordered]
    turns += [(d.answered_at, -1, d) for d in thread.deeds if d.done and d.answered_at is not None]
    with_ai, asked = True, []
    for _, _, turning in sorted(turns, key=lambda each: each[:2]):
        match turning:
            case Deed(action="claim"):
                with_ai = False
            case Deed(action="resolve" | "return"):
                with_ai = True
            case Deed():
                pass
            case Entry():
                if turning.by_customer and with_ai:
                    asked.append(turning)
                with_ai = _with_ai_after(turning, takes=turning.place in takings, before=with_ai)
    return asked


def _with_ai_after(entry: Entry, *, takes: bool, before: bool) -> bool:
    if takes:
        return False
    match entry.moved_to:
        case "resolved":
            return True
        case "open" if entry.what.by == "bot":
            return False
        case "pending" if entry.what.by == "bot":
            return True
        case _:
            return before


def _lost(thread: Thread, answers: dict[str, str]) -> Iterator[str]:
    takings = {entry.place for entry in thread.takings()}
    asked: dict[str, int] = {}
    for entry in thread.entries:
        if entry.by_customer and entry.what.message is not None:
            asked.setdefault(entry.what.message.text, entry.place)
    for entry in due(thread):
        later = [each for each in thread.entries if each.place > entry.place]
        if not any(_settles(each, entry, takings, answers, asked) for each in later):
            assert entry.what.message is not None
            yield f"nobody ever answered {entry.what.message.text!r} ({entry.what.message.id})"


def _settles(
    later: Entry, entry: Entry, takings: set[int], answers: dict[str, str], asked: dict[str, int]
) -> bool:
    """Whether what came later leaves nothing open about a customer's message."""
    if later.by_person or later.place in takings or later.moved_to == "resolved":
        return True
    if later.moved_to == "open" and later.what.by == "bot":
        return True
    if not later.by_ai or later.what.message is None:
        return False
    answered = asked.get(answers.get(later.what.message.text, ""))
    return answered is None or answered >= entry.place


def _lost_deeds(thread: Thread, *, parked: bool) -> Iterator[str]:
    said = Counter(e.what.message.text for e in thread.entries if e.what.message and e.by_person)
    for deed in thread.deeds:
        if deed.action == "reply" and deed.done and not said[deed.text] and not parked:
            yield f"the API acknowledged the desk's reply {deed.text!r}, and the customer never read it"


# --- doubled ------------------------------------------------------------------------------------------


def _doubled_messages(thread: Thread, courtesies: frozenset[str]) -> Iterator[str]:
    ours = [e for e in thread.entries if e.what.message and e.what.message.author != "customer"]
    tokens = Counter(e.what.message.token for e in ours if e.what.message and e.what.message.token)
    yield from (f"{count} messages carry the token {token}" for token, count in tokens.items() if count > 1)
    notes = Counter(
        e.what.message.text for e in ours if e.what.message and e.what.message.private and e.what.by == "bot"
    )
    yield from (f"a note stands {count} times: {text!r}" for text, count in notes.items() if count > 1)
    yield from _repeated(thread, courtesies)


def _repeated(thread: Thread, courtesies: frozenset[str]) -> Iterator[str]:
    heard, spoken = 0, 0
    since: set[str] = set()
    for entry in thread.entries:
        if entry.by_customer:
            heard += 1
            since.clear()
        elif entry.by_ai and entry.what.message is not None:
            spoken += 1
            text = entry.what.message.text
            if text in since and text not in courtesies:
                yield f"the AI said twice, with no word in between: {text!r}"
            elif spoken > heard:
                yield f"the AI has spoken {spoken} times to {heard} messages: {text!r}"
            since.add(text)


def _doubled_deeds(thread: Thread) -> Iterator[str]:
    said = Counter(e.what.message.text for e in thread.entries if e.what.message and e.by_person)
    for deed in thread.deeds:
        if deed.action != "reply":
            continue
        if said[deed.text] > 1:
            yield f"the desk's reply {deed.text!r} stands {said[deed.text]} times"
        if said[deed.text] and not deed.possible:
            yield f"the API refused the desk's reply {deed.text!r}, and yet it stands"


def _statuses(thread: Thread) -> Iterator[str]:
    """Which statuses we set with effect more often than anyone wanted."""
    set_by_us = Counter(e.moved_to for e in _moves(thread) if e.what.by == "bot")
    notes = {
        e.what.message.token
        for e in thread.entries
        if e.what.message and e.what.message.private and e.what.by == "bot"
    }
    wanted = Counter(d.action for d in thread.deeds if d.possible)
    accounts = {"open": len(notes), "resolved": wanted["resolve"], "pending": wanted["return"]}
    for status, allowed in accounts.items():
        if set_by_us[status] > allowed:
            yield f"we set it {status} {set_by_us[status]} times; {allowed} can be accounted for"


def _moves(thread: Thread) -> Iterator[Entry]:
    before: str | None = None
    for entry in thread.entries:
        if entry.moved_to is not None and entry.moved_to != before:
            yield entry
        before = entry.what.status


# --- second voices ------------------------------------------------------------------------------------


class Taking(Struct, frozen=True, kw_only=True):
    """A person's taking the conversation: when it happened, when the gateway had acknowledged it."""

    at: datetime
    known_at: datetime
    what: str
    at_the_desk: bool = False


class Return(Struct, frozen=True, kw_only=True):
    """A person's giving it back: when it happened, and when the gateway had been told, if ever."""

    at: datetime
    told_at: datetime | None = None


def _known_takings(thread: Thread) -> Iterator[Taking]:
    for entry in thread.takings():
        if entry.told_at is not None:
            said = entry.what.message.text if entry.what.message else f"status {entry.moved_to}"
            yield Taking(at=entry.what.at, known_at=entry.told_at, what=said)
    for deed in thread.deeds:
        if deed.action == "claim" and deed.done and deed.answered_at is not None:
            yield Taking(
                at=deed.asked_at, known_at=deed.answered_at, what="the desk claimed it", at_the_desk=True
            )


def _second_voices(thread: Thread) -> Iterator[str]:
    takings = list(_known_takings(thread))
    returns = [Return(at=e.what.at, told_at=e.told_at) for e in thread.entries if e.moved_to == "resolved"]
    returns += [
        Return(at=d.asked_at) for d in thread.deeds if d.action in {"resolve", "return"} and d.possible
    ]
    for entry in thread.entries:
        if not entry.by_ai or entry.asked_at is None or entry.what.message is None:
            continue
        for taking in takings:
            if _speaks_over(entry.what.at, entry.asked_at, taking, returns):
                late = (entry.asked_at - taking.known_at).total_seconds()
                text = entry.what.message.text
                yield f"the AI said {text!r} {late:.1f} s after we knew of: {taking.what!r}"
                break


def _speaks_over(stood_at: datetime, asked_at: datetime, taking: Taking, returns: Iterable[Return]) -> bool:
    if taking.at > stood_at or asked_at <= taking.known_at + ON_THE_WIRE:
        return False
    return not any(
        taking.at <= back.at <= stood_at or _told_later(taking, back, asked_at) for back in returns
    )


def _told_later(taking: Taking, back: Return, asked_at: datetime) -> bool:
    """A claim at our desk and a resolving at the helpdesk come in the order in which we hear of them."""
    return taking.at_the_desk and back.told_at is not None and taking.known_at <= back.told_at <= asked_at


# --- order and echo -----------------------------------------------------------------------------------


def _disorder(thread: Thread, answers: dict[str, str]) -> Iterator[str]:
    asked: dict[str, int] = {}
    latest, latest_text = -1, ""
    for entry in thread.entries:
        message = entry.what.message
        if message is None:
            continue
        if entry.by_customer and entry.told_at is not None:
            asked.setdefault(message.text, entry.place)
        question = answers.get(message.text, "")
        if entry.by_ai and question in asked:
            if asked[question] < latest:
                yield f"{question!r} was answered after {latest_text!r}, which had been asked later"
            latest, latest_text = max((latest, latest_text), (asked[question], question))
    yield from _desk_disorder(thread)


def _desk_disorder(thread: Thread) -> Iterator[str]:
    stands = {e.what.message.text: e.place for e in thread.entries if e.what.message and e.by_person}
    replies = [d for d in thread.deeds if d.action == "reply" and d.done and d.text in stands]
    for first, second in pairwise(replies):
        if stands[first.text] > stands[second.text]:
            yield f"the desk's reply {first.text!r} stands after {second.text!r}"


def _too_much(thread: Thread) -> Iterator[str]:
    people = sum(e.what.by != "bot" for e in thread.entries) + len(thread.deeds)
    writes = [request for request in thread.requests if request.method != "GET"]
    faulty = sum(request.fault is not None for request in thread.requests)
    bound = 10 + 4 * people + 3 * faulty
    if len(writes) > bound:
        yield f"{len(writes)} writes for {people} deeds of people and {faulty} faults"
