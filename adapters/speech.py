"""What our messages look like at a vendor, and whether one found there may be ours."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

from adapters.model import Author, FindMessage, MessageRecord, Reply


def spoken(reply: Reply) -> str:
    """A reply's text; a person's begins with their name, for a vendor whose credentials speak as one user."""
    if reply.person is None or not reply.person.name:
        return reply.text
    return f"{reply.person.name}: {reply.text}"


def says(record: MessageRecord, text: str) -> bool:
    """Whether a message says `text`, with or without a name before it."""
    return record.text == text or record.text.endswith(f": {text}")


def resembles(message: MessageRecord, query: FindMessage) -> bool:
    """Whether a message that bears no token may be the one we look for; compare its time yourself."""
    return (
        message.token is None
        and message.author in {Author.AI, Author.AGENT}
        and message.private == query.private
        and says(message, query.text)
    )


async def look_back(
    pages: AsyncIterator[Sequence[MessageRecord]], query: FindMessage
) -> MessageRecord | None:
    """Our message among `pages` of them, latest page first: by our token, else one that resembles it.

    It ends at `query.since`, in whole seconds, as many vendors count; and with the pages.
    """
    since = query.since.replace(microsecond=0) - timedelta(seconds=1)
    resembling: MessageRecord | None = None
    async for messages in pages:
        recent = [message for message in messages if message.sent_at >= since]
        ours = next((message for message in recent if message.token == query.token), None)
        if ours is not None:
            return ours
        resembling = resembling or next((each for each in recent if resembles(each, query)), None)
        if not recent or len(recent) < len(messages):
            break
    return resembling


def pieces(text: str, *, most: int) -> Iterator[str]:
    """The text in pieces of at most `most` characters, cut at the ends of lines or between words."""
    rest = text.strip()
    while len(rest) > most:
        window = rest[: most + 1]
        at = max(window.rfind("\n"), window.rfind(" "))
        end = at if at > most // 2 else most
        yield rest[:end].rstrip()
        rest = rest[end:].lstrip()
    if rest:
        yield rest
