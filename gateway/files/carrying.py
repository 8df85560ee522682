"""Taking a message's files along: fetched right before it is sent, and closed right after."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager

import structlog
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.attachments import Fetch, Upload, safe_name
from adapters.contract import Adapter
from adapters.errors import Rejected, Retryable
from adapters.manifest import Capability
from adapters.model import Attachment, Command, Note, Reply
from config.settings import AttachmentSettings
from gateway.files import naming
from gateway.files.guard import Because, Guard, RefusedFileError, Spooled, spool
from gateway.files.renewing import renewed
from sync.store import desk_files

log = structlog.get_logger()
_PERHAPS_EXPIRED = frozenset({Because.ANSWER, Because.GONE})
PATIENT = 3
"""So often a file is asked for that can't be had just now; then the message goes without it."""


class Carrier:
    """Fetches files from where they are: with whom they came from, or with us, if our desk sends them."""

    def __init__(
        self,
        guard: Guard,
        settings: AttachmentSettings,
        adapters: Mapping[str, Adapter],
        engine: AsyncEngine,
    ) -> None:
        self._guard = guard
        self._settings = settings
        self._adapters = adapters
        self._engine = engine

    @asynccontextmanager
    async def loaded(
        self, command: Command, adapter: Adapter, *, attempt: int
    ) -> AsyncIterator[tuple[Command, list[Upload]]]:
        """The command with those of its files that can go along; the others are named in its text.

        Raises Retryable where another try may have more of them, and Rejected for one of our own desk that
        is gone: nothing that people sent is left out silently.
        """
        if not isinstance(command, Reply | Note) or not command.attachments:
            yield command, []
            return
        with ExitStack() as held:
            carried: list[Attachment] = []
            uploads: list[Upload] = []
            missing: list[str] = []
            for each in command.attachments:
                try:
                    upload = await self._load(each, adapter, attempt)
                except RefusedFileError as refused:
                    missing.append(_missing(each, refused))
                    continue
                held.callback(upload.file.close)
                uploads.append(upload)
                carried.append(each)
            text = "\n".join([command.text, *missing] if command.text else missing)
            yield replace(command, text=text, attachments=tuple(carried)), uploads

    async def _load(self, wanted: Attachment, adapter: Adapter, attempt: int) -> Upload:
        if not adapter.manifest.can(Capability.SEND_ATTACHMENTS):
            raise RefusedFileError("no files can be sent there", Because.KIND)
        try:
            return await self.fetch(wanted)
        except Retryable as error:
            if attempt < PATIENT:
                raise
            raise RefusedFileError("it could not be fetched", Because.LATE) from error

    async def fetch(self, wanted: Attachment) -> Upload:
        """One file, judged; close it. Raises RefusedFileError, or Retryable where another try may work."""
        if wanted.source == desk_files.SOURCE:
            got = await self._of_the_desk(wanted)
        else:
            got = await self._of_a_vendor(wanted)
        try:
            return fit(got, wanted.name, otherwise=wanted.content_type, types=self._settings.types)
        except BaseException:
            got.file.close()
            raise

    async def _of_a_vendor(self, wanted: Attachment) -> Spooled:
        """From where its vendor has it: an address that is good no longer is asked for once more."""
        source = self._adapters.get(wanted.source)
        if source is None:
            return await self._guard.fetch(Fetch(url=wanted.url))
        try:
            return await self._guard.fetch(source.fetch(wanted))
        except RefusedFileError as refused:
            again = await renewed(source, wanted) if refused.because in _PERHAPS_EXPIRED else None
            if again is None:
                raise
        return await self._guard.fetch(source.fetch(again))

    async def _of_the_desk(self, wanted: Attachment) -> Spooled:
        async with self._engine.connect() as connection:
            parts = desk_files.read(connection, int(wanted.id))
            got = await spool(parts, wanted.content_type, most=wanted.size or self._settings.max_bytes)
        if got.size != wanted.size:
            got.file.close()
            raise RefusedFileError("it is kept no longer; send it again", Because.GONE)
        return got


def fit(got: Spooled, name: str, *, otherwise: str, types: tuple[str, ...]) -> Upload:
    """A file as it may go on: of a type that is passed on, by what it holds, under a name that harms nobody.

    `otherwise` is its type where nobody declared one. Raises RefusedFileError.
    """
    if got.size == 0:
        raise RefusedFileError("it is empty", Because.EMPTY)
    declared = got.declared if _says_something(got.declared) else otherwise
    kind = naming.judged(declared, got.head)
    if kind is None or not naming.allowed(kind, types):
        raise RefusedFileError("its content is not of a kind that is passed on", Because.KIND)
    return Upload(name=naming.named(name, kind), content_type=kind, size=got.size, file=got.file)


def _missing(wanted: Attachment, refused: RefusedFileError) -> str:
    """How the message names a file that can't go along. Raises Rejected if our own desk sends it."""
    name = safe_name(wanted.name)
    if wanted.source == desk_files.SOURCE:
        raise Rejected(f"{name} can't go along: {refused}") from refused
    log.info("file_left_out", connection=wanted.source, why=str(refused))
    return f"[{name}: {refused}]"


def _says_something(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() not in {"", "application/octet-stream"}
