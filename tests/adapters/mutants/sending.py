"""Adapters that do something else than they are told to."""

# ruff: noqa: ARG002, D102 - each overrides what the class's one line tells of

from collections.abc import Sequence

from adapters.attachments import Fetch, Upload
from adapters.errors import Unsupported
from adapters.manifest import Capability
from adapters.model import Attachment, Change, Command, Found, MessagePosted, Note, Pushed, Query, Reply
from adapters.vendors.memory.adapter import Memory
from mutants.breaking import Mutant, able, replace, seen_by


@seen_by("unknown_command")
class Obliging(Mutant):
    """It does what it doesn't know."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        try:
            return await super().push(command, uploads)
        except Unsupported:
            return Pushed()


@seen_by("unknown_query")
class Knowing(Mutant):
    """It answers what it doesn't know."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        try:
            return await super().find(query)
        except Unsupported:
            return None


@seen_by("declared_commands")
class Boasting(Mutant):
    """It declares what it can't."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Note):
            raise Unsupported("no notes after all")
        return await super().push(command, uploads)


class Speaking(Mutant):
    """Those that differ in a reply."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Reply | Note):
            command = replace(command, text=self.spoken(command.text))
        return await super().push(command, uploads)

    def spoken(self, text: str) -> str:
        return text


@seen_by("words_arrive")
class Escaping(Speaking):
    """It makes entities of letters."""

    manifest = Memory.manifest

    def spoken(self, text: str) -> str:
        return text.encode("ascii", "xmlcharrefreplace").decode()


@seen_by("long_replies")
class Cutting(Speaking):
    """It cuts what is long."""

    manifest = Memory.manifest

    def spoken(self, text: str) -> str:
        return text[:4000]


@seen_by("own_words")
class Unmarked(Mutant):
    """It forgets the id of what it said."""

    manifest = Memory.manifest

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        return replace(await super().push(command, uploads), id="another")

    def parse(self, body: bytes) -> Sequence[Change]:
        return super().parse(body.replace(b'"token": "', b'"token": "x-'))


@seen_by("files_come")
class Fileless(Mutant):
    """It declares files and shows none."""

    manifest = able(Capability.ATTACHMENTS)

    def parse(self, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(each, message=replace(each.message, attachments=()))
            if isinstance(each, MessagePosted)
            else each
            for each in super().parse(body)
        )


altered_file = Attachment(id="1", url="https://files.example/a.png", name="a.png")


@seen_by("files_come")
class Spilling(Mutant):
    """It gives its token to whoever has an address."""

    manifest = able(Capability.ATTACHMENTS)

    def parse(self, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(each, message=replace(each.message, attachments=(altered_file,)))
            if isinstance(each, MessagePosted)
            else each
            for each in super().parse(body)
        )

    def fetch(self, attachment: Attachment) -> Fetch:
        return Fetch(url=attachment.url, headers={"Authorization": self.settings["token"]})


@seen_by("files_go")
class Dropping(Mutant):
    """It forgets the files."""

    manifest = able(Capability.SEND_ATTACHMENTS)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        if isinstance(command, Reply):
            command = replace(command, attachments=())
        return await super().push(command)
