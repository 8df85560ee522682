"""Forms with files: read as they come in, as much as the settings allow, and let go of afterwards."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_411_LENGTH_REQUIRED, HTTP_413_REQUEST_ENTITY_TOO_LARGE

from adapters.attachments import CHUNK
from gateway.console.pages import Caller
from gateway.console.sessions import check_form, check_origin
from gateway.files import receiving
from gateway.files.guard import Because, RefusedFileError
from gateway.files.receiving import Received
from gateway.house import House

BESIDE_FILES = 1024 * 1024


class Form:
    """What a page of ours has sent."""

    def __init__(self, house: House, told: FormMultiDict, held: ExitStack) -> None:
        self._house = house
        self._told = told
        self._held = held

    def text(self, name: str) -> str:
        """A field; empty if there is none."""
        value = self._told.get(name, "")
        return value if isinstance(value, str) else ""

    @property
    def once(self) -> str | None:
        """The key that keeps a double click from doing it twice."""
        return f"console/{self.text('once')}" if self.text("once") else None

    async def files(self) -> list[Received]:
        """The files that were chosen, open as long as the form is. Raises RefusedFileError."""
        chosen = [each for each in self._told.getall("files", []) if isinstance(each, UploadFile)]
        most = self._house.settings.attachments.most
        if len(chosen) > most:
            raise RefusedFileError(f"at most {most} files go with one reply", Because.SIZE)
        received = []
        for each in chosen:
            got = await receiving.receive(
                self._house, _pieces(each), name=each.filename, declared=each.content_type
            )
            self._held.callback(got.upload.file.close)
            received.append(got)
        return received


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(CHUNK):
        yield piece


@asynccontextmanager
async def sent(house: House, request: Caller) -> AsyncIterator[Form]:
    """The form that one of our pages sent. Raises ForgedFormError, or HTTPException if it is too large.

    What it holds lies on the disk, so how much that will be is asked first.
    """
    check_origin(request)
    limits = house.settings.attachments
    if request.content_length is None:
        raise HTTPException(status_code=HTTP_411_LENGTH_REQUIRED)
    if request.content_length > limits.most * limits.max_bytes + BESIDE_FILES:
        raise HTTPException(status_code=HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    told = await request.form()
    with ExitStack() as held:
        try:
            form = Form(house, told, held)
            check_form(request, form.text("csrf"))
            yield form
        finally:
            await told.close()
