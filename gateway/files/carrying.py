"""Taking a message's files along: fetched right before it is sent, and closed right after."""

from collections.abc import Mapping, Sequence

import structlog
from msgspec.structs import replace

from adapters.attachments import Fetch, Upload
from adapters.contract import Adapter
from adapters.errors import Retryable
from adapters.manifest import Capability
from adapters.model import Attachment, Note, Reply
from config.settings import AttachmentSettings
from gateway.files import naming
from gateway.files.guard import Guard, RefusedFileError

log = structlog.get_logger()
PATIENT = 3
"""So often a file is asked for that can't be had just now; then the message goes without it."""


class Carrier:
    """Fetches files from whom they came from."""

    def __init__(self, guard: Guard, settings: AttachmentSettings, adapters: Mapping[str, Adapter]) -> None:
        self._guard = guard
        self._settings = settings
        self._adapters = adapters

    async def load(
        self, command: Reply | Note, adapter: Adapter, *, attempt: int
    ) -> tuple[Reply | Note, list[Upload]]:
        """The message with those of its files that can go along; the others are named in its text.

        Raises Retryable where another try may have more of them. The caller closes the uploads.
        """
        carried: list[Attachment] = []
        uploads: list[Upload] = []
        missing: list[str] = []
        takes_files = adapter.manifest.can(Capability.SEND_ATTACHMENTS)
        try:
            for each in command.attachments:
                name = naming.safe_name(each.name)
                if not takes_files:
                    missing.append(f"[{name}]")
                    continue
                try:
                    uploads.append(await self._fetch(each, name, attempt))
                    carried.append(each)
                except RefusedFileError as refused:
                    log.info("file_left_out", connection=each.source, why=str(refused))
                    missing.append(f"[{name}: {refused}]")
        except BaseException:
            close(uploads)
            raise
        text = "\n".join([command.text, *missing] if command.text else missing)
        return replace(command, text=text, attachments=tuple(carried)), uploads

    async def _fetch(self, wanted: Attachment, name: str, attempt: int) -> Upload:
        source = self._adapters.get(wanted.source)
        try:
            got = await self._guard.fetch(source.fetch(wanted) if source else Fetch(url=wanted.url))
        except Retryable as error:
            if attempt < PATIENT:
                raise
            raise RefusedFileError("it could not be fetched") from error
        declared = got.declared if _says_something(got.declared) else wanted.content_type
        kind = naming.judged(declared, got.head)
        if kind is None or not naming.allowed(kind, self._settings.types):
            got.file.close()
            raise RefusedFileError("its content is not of a kind that is passed on")
        return Upload(name=name, content_type=kind, size=got.size, file=got.file)


def _says_something(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() not in {"", "application/octet-stream"}


def close(uploads: Sequence[Upload]) -> None:
    """Let go of the files."""
    for upload in uploads:
        upload.file.close()
