"""What people at the built-in desk send: spooled, judged, and kept until a reply has taken it."""

import hashlib
from collections.abc import AsyncIterable, Iterator

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.attachments import Upload
from adapters.manifest import Capability
from gateway.desk import files_refused
from gateway.desk_actions import RefusedError, UnknownHandOffError
from gateway.files.carrying import fit
from gateway.files.guard import spool
from gateway.house import House
from sync.store import desk, desk_files
from sync.views import DeskFile, HandOff

PART = 256 * 1024


class Received(Struct, frozen=True, kw_only=True):
    """A file that fits. Close it."""

    upload: Upload

    def parts(self) -> Iterator[bytes]:
        """Its content, in pieces."""
        file = self.upload.file
        file.seek(0)
        while part := file.read(PART):
            yield part

    def digest(self) -> bytes:
        """What tells whether another one holds the same."""
        told = hashlib.sha256()
        for part in self.parts():
            told.update(part)
        return told.digest()


async def check_place(house: House, connection: AsyncConnection, hand_off: int) -> None:
    """Raise RefusedError unless files can be sent in this hand-off, or UnknownHandOffError."""
    found = await desk.hand_off(connection, hand_off)
    if found is None:
        raise UnknownHandOffError(f"there is no hand-off {hand_off}")
    if found.state not in desk.OPEN:
        raise RefusedError("this hand-off has ended")
    reason = refusal_at(house, found)
    if reason is not None:
        raise RefusedError(reason)


def refusal_at(house: House, found: HandOff) -> str | None:
    """Why no files can be sent to whoever was handed over, in words for the agent; `None` when they can."""
    adapter = house.adapters.get(found.connection)
    able = adapter is not None and Capability.SEND_ATTACHMENTS in adapter.capabilities
    return files_refused(house.settings, found.connection, found.channel, able=able)


async def receive(house: House, chunks: AsyncIterable[bytes], *, name: str, declared: str) -> Received:
    """A file as it comes in, on our disk. Raises RefusedFileError: too large, empty, of a wrong kind."""
    limits = house.settings.attachments
    got = await spool(chunks, declared, most=limits.max_bytes)
    try:
        return Received(upload=fit(got, name, otherwise="", types=limits.types))
    except BaseException:
        got.file.close()
        raise


async def keep(house: House, connection: AsyncConnection, hand_off: int, received: Received) -> DeskFile:
    """Keep a file for a reply in this hand-off. Raises RefusedError; roll back then."""
    await check_place(house, connection, hand_off)
    now, most = house.clock(), 2 * house.settings.attachments.most
    if await desk_files.count_untaken(connection, hand_off, now=now) >= most:
        raise RefusedError(f"{most} files wait for a reply already: send some, or wait an hour")
    upload = received.upload
    return await desk_files.keep(
        connection,
        received.parts(),
        hand_off=hand_off,
        name=upload.name,
        content_type=upload.content_type,
        size=upload.size,
        now=now,
    )
