"""Messages that are held for echoes of ours until that is proven or disproven. Pure."""

from msgspec.structs import replace

from adapters.model import MessageRecord
from sync.echo import Guess, Own, Sent
from sync.thread import MessageState, Thread, person_json


def hold(thread: Thread, own: Own, record: MessageRecord, message: MessageState) -> None:
    """Take a message for the echo of a command until the command is settled, as the vendor told it."""
    guess = Guess(
        by=own.by,
        ref=message.ref,
        id=record.id,
        author=record.author,
        person=record.person,
        text=record.text,
        private=record.private,
        sent_at=record.sent_at,
        seen_at=message.seen_at,
    )
    _note(thread, replace(own.sent, held=(*own.sent.held, guess), doubt=True))


def settle(thread: Thread) -> list[tuple[Guess, MessageState]]:
    """Give back the messages that are known by now to be somebody else's, as they were told."""
    given: list[Guess] = []
    for sent in thread.ledger:
        if sent.doubt and sent.state != "in_flight":
            given += [guess for guess in sent.held if guess not in sent.echoes]
            _note(thread, replace(sent, held=sent.echoes, doubt=False))
    thread.given_back += given
    return [(guess, _told(thread, guess)) for guess in given]


def _note(thread: Thread, sent: Sent) -> None:
    thread.doubts[sent.ref] = sent
    thread.note(sent)


def _told(thread: Thread, guess: Guess) -> MessageState:
    fresh = next((message for message in thread.messages if message.id == guess.id), None)
    message = fresh or MessageState(
        ref=guess.ref,
        conversation_ref=thread.ref,
        id=guess.id,
        author=guess.author,
        person=None,
        text=guess.text,
        private=guess.private,
        attachments=[],
        origin="live",
        sent_at=guess.sent_at,
        seen_at=guess.seen_at,
        event_ref=None,
    )
    message.author, message.text, message.command_ref = guess.author, guess.text, None
    message.person = person_json(guess.person)
    return message
