"""Whether a person and our AI spoke at the same moment. Pure.

The lease keeps them apart as far as we can know. That a person speaks in the very moment in which a reply is
being sent, or that the helpdesk tells us late that they did, no vendor's API can exclude: it is found out
afterwards, and reported.
"""

from collections.abc import Iterable
from datetime import datetime

from sync.echo import SKEW, Sent
from sync.thread import MessageState


def crossed(
    message: MessageState, ledger: Iterable[Sent], *, heard_at: datetime, ai_since: datetime
) -> tuple[Sent, str] | None:
    """The AI's reply that a person's message crossed, the latest if several did, and how.

    `heard_at` is when the message reached us; what was said before the AI had the conversation
    (`ai_since`) crosses nothing.
    """
    if message.sent_at < ai_since - SKEW:
        return None
    for sent in sorted(ledger, key=lambda sent: sent.ref, reverse=True):
        if sent.kind == "reply" and sent.epoch is not None and (kind := _how(message, sent, heard_at)):
            return sent, kind
    return None


def _how(message: MessageState, sent: Sent, heard_at: datetime) -> str | None:
    if sent.unfinished:
        return "while_sending"
    if sent.state != "done" or sent.claimed_at is None or sent.done_at is None:
        return None
    if sent.claimed_at <= heard_at <= sent.done_at:
        return "while_sending"
    late = sent.vendor_at is not None and message.sent_at < sent.vendor_at and heard_at > sent.done_at
    return "told_late" if late else None
