"""What people at the built-in desk open: a message's file, fetched from whoever has it, to be saved."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import msgspec
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.attachments import Upload
from adapters.errors import Retryable
from adapters.model import Attachment
from gateway import access
from gateway.access import Scope
from gateway.files import naming
from gateway.files.guard import Because, RefusedFileError
from gateway.house import House
from gateway.store import Key
from sync.store import desk, reading

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Download-Options": "noopen",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
)


class NoSuchFileError(LookupError):
    """There is no such message or file, or none for this reader."""


async def find(connection: AsyncConnection, key: Key, message: int, number: int) -> Attachment:
    """A file beside a message, by its place. Raises NoSuchFileError.

    Who may read conversations may have any; who works at the desk alone, those of what was handed to people.
    """
    place = await reading.files_at(connection, message)
    if place is None or not 0 < number <= len(place.attachments):
        raise NoSuchFileError(f"message {message} has no file {number}")
    handed_over = access.may(key, Scope.DESK) and await desk.hand_offs_of(connection, place.conversation_ref)
    if not access.may(key, Scope.READ) and not handed_over:
        raise NoSuchFileError(f"message {message} has no file {number}")
    stored = place.attachments[number - 1]
    told = stored.get("source") not in {None, "", place.connection}  # what was carried here lies elsewhere
    here = {"conversation_id": place.conversation_id, "message_id": place.message_id}
    return msgspec.convert(stored if told else stored | {"source": place.connection} | here, Attachment)


async def fetch(house: House, wanted: Attachment) -> Upload:
    """The file; close it. Raises RefusedFileError, whatever the reason."""
    if not wanted.url:
        raise RefusedFileError("we keep no copy of what was sent: the helpdesk has it", Because.GONE)
    try:
        return await house.files.fetch(wanted)
    except Retryable as error:
        raise RefusedFileError(f"it can't be had just now ({error})", Because.LATE) from error
    except RefusedFileError as refused:
        if refused.because is Because.EMPTY:  # nobody's fault who asks
            raise RefusedFileError("its server gave an empty one", Because.ANSWER) from refused
        raise


def response(upload: Upload) -> Stream:
    """A file as it is sent to a browser: to be saved, never to be shown; closed when it was sent."""

    async def content() -> AsyncIterator[bytes]:
        try:
            async for chunk in upload.chunks():
                yield chunk
        finally:
            upload.file.close()

    headers = dict(HEADERS) | {
        "Content-Disposition": naming.disposition(upload.name),
        "Content-Length": str(upload.size),
        "Content-Type": naming.served_as(upload.content_type),
    }
    return Stream(content, headers=headers)
