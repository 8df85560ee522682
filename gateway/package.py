"""The hand-off package: what a person needs to take over, as data and as a note. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.model import Author
from gateway.scene import Scene
from rules.signals import SignalName
from rules.turns import OTHER_BOT, TurnState
from sync.thread import HandOffState, MessageState

SCHEMA = "deskbridge.hand_off/1"
GOAL_LENGTH = 160
TRANSCRIPT_LENGTH = 200
NOTE_TURNS = 5
_ABOUT_PEOPLE = {SignalName.ASKED_FOR_PERSON.value, SignalName.DID_NOT_HELP.value}


def sources(citations: Sequence[Mapping[str, Any]], language: str) -> str:
    """The line under an answer that names the articles it rests on; empty without citations."""
    titles = list(dict.fromkeys(citation["article_title"] for citation in citations))
    if not titles:
        return ""
    return f"\n\n（来源：{'；'.join(titles)}）" if language == "zh" else f"\n\n(Source: {'; '.join(titles)})"


def goal_of(turns: Sequence[TurnState]) -> str:
    """What the customer wants, in one line of their own words.

    The latest turn that is about the matter itself: wishes for a person and complaints about
    answers say nothing about it.
    """
    for turn in reversed(turns):
        evidence = [s["evidence"] for s in turn.signals if s["name"] in _ABOUT_PEOPLE]
        words = [text for text in turn.words if not any(part in text for part in evidence)]
        if words:
            return _one_line(" ".join(words))
    return _one_line(" ".join(turns[-1].words)) if turns else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= GOAL_LENGTH else f"{line[: GOAL_LENGTH - 1]}…"


def transcript_line(message: MessageState) -> dict[str, Any]:
    """A message as the package shows it."""
    return {
        "id": message.id,
        "author": message.author,
        "person": message.person,
        "text": message.text,
        "private": message.private,
        "at": message.sent_at,
    }


def build(
    scene: Scene,
    *,
    transcript: Sequence[Mapping[str, Any]],
    identities: Sequence[Mapping[str, str]],
    rule: Mapping[str, Any] | None,
    public_url: str,
) -> dict[str, Any]:
    """The package of one hand-off, ready for JSON."""
    conversation, customer = scene.thread.conversation, scene.thread.customer
    return {
        "schema": SCHEMA,
        "goal": goal_of(scene.history.turns) or _told(scene, transcript),
        "channel": conversation.channel,
        "language": conversation.language,
        "customer": {
            "ref": customer.main_ref if customer else None,
            "name": customer.whole_name if customer else "",
            "attributes": customer.whole_attributes if customer else {},
            "identities": list(identities),
        },
        "conversation": {
            "ref": conversation.ref,
            "connection": conversation.connection,
            "id": conversation.id,
            "subject": conversation.subject,
            "tags": conversation.tags,
        },
        "rule": rule,
        "tried": [_tried(turn) for turn in scene.history.turns],
        "transcript": list(transcript)[-TRANSCRIPT_LENGTH:],
        "links": {
            "timeline": f"{public_url}/console/conversations/{conversation.ref}",
            "helpdesk": conversation.url or None,
        },
        **({"passed": scene.passed} if scene.passed else {}),
    }


def _told(scene: Scene, transcript: Sequence[Mapping[str, Any]]) -> str:
    """Where our AI had no part in it: what they say who passed it to us, or what the customer said last."""
    summary = scene.passed.get("summary")
    said = [line["text"] for line in transcript if line["author"] == Author.CUSTOMER]
    return _one_line(summary if isinstance(summary, str) and summary else said[-1] if said else "")


def rule(scene: Scene, hand_off: HandOffState) -> dict[str, Any] | None:
    """The decision that made a hand-off, if it was made just now."""
    decision = next((d for d in scene.decisions if d["ref"] == hand_off.decision_ref), None)
    if decision is None:
        return None
    return {name: decision[name] for name in ("policy", "revision", "rule", "inputs")}


def _tried(turn: TurnState) -> dict[str, Any]:
    answer = turn.answer or {}
    return {
        "turn": turn.number,
        "asked": list(turn.words),
        "answered": answer.get("text"),
        "by": answer.get("by"),
        "confidence": answer.get("confidence"),
        "failure": answer.get("failure"),
        "citations": answer.get("citations", []),
        "verdict": turn.verdict,
        "because": [{"signal": s["name"], "evidence": s["evidence"]} for s in turn.signals],
    }


def render_note(package: Mapping[str, Any], hand_off: HandOffState) -> str:
    """The package as a private note that an agent reads in ten seconds."""
    customer = package["customer"]
    reached = ", ".join(item["value"] for item in customer["identities"] if item["kind"] != "vendor")
    who = customer["name"] + (f" ({reached})" if reached else "")
    lines = [
        f"Deskbridge → {hand_off.queue} [{hand_off.priority}] · {hand_off.rule}",
        f"Goal: {package['goal']}",
        f"Customer: {who} · {package['channel']} · {package['language']}",
    ]
    for tried in package["tried"][-NOTE_TURNS:]:
        because = ", ".join(item["signal"] for item in tried["because"]) or "–"
        cited = "; ".join(item["article_title"] for item in tried["citations"])
        answer = _one_line(tried["answered"]) if tried["answered"] else f"— {tried['failure'] or 'no answer'}"
        lines.append(f"#{tried['turn']} {_one_line(' '.join(tried['asked']))}")
        who = "Other bot" if tried["by"] == OTHER_BOT else "AI"
        lines.append(f"   {who}: {answer}" + (f" [{cited}]" if cited else ""))
        lines.append(f"   {tried['verdict']}: {because}")
    lines.append(f"Timeline: {package['links']['timeline']}")
    return "\n".join(lines)
