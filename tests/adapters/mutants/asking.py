"""Adapters that err in pages, and in what they look up."""

# ruff: noqa: ARG002, D102 - each overrides what the class's one line tells of

from adapters.errors import Rejected
from adapters.model import ConversationRecord, CustomerChanged, Found, Page, PullKind, Query
from adapters.vendors.memory.adapter import Memory
from mutants.breaking import Mutant, replace, seen_by


class Pulling(Mutant):
    """Those that differ in a page."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        return self.altered(await super().pull(kind, cursor, scope=scope))

    def altered(self, page: Page) -> Page:
        return page


@seen_by("nulls_in_answers")
class NeedsEmails(Pulling):
    """It takes everybody to have an address."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, cursor, scope=scope)
        assert all(
            each.customer.raw["email"].lower() for each in page.changes if isinstance(each, CustomerChanged)
        )
        return page


@seen_by("nulls_in_answers")
class NeedsTags(Mutant):
    """It takes every conversation that it finds to have a tag."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        found = await super().find(query)
        assert not isinstance(found, ConversationRecord) or found.raw["tags"][0].lower()
        return found


@seen_by("pages_end")
class Circling(Pulling):
    """Always the same cursor."""

    manifest = Memory.manifest

    def altered(self, page: Page) -> Page:
        return replace(page, cursor="0")


@seen_by("pages_end")
class NewestFirst(Pulling):
    """The wrong way round."""

    manifest = Memory.manifest

    def altered(self, page: Page) -> Page:
        return replace(page, changes=page.changes[::-1])


@seen_by("pages_resume")
class Stateful(Pulling):
    """It knows where it was, until it is another process."""

    manifest = Memory.manifest
    _cursor: str | None = None

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, self._cursor if cursor else None, scope=scope)
        self._cursor = page.cursor
        return page


@seen_by("one_page_at_a_time")
class Walking(Pulling):
    """It walks to the end by itself."""

    manifest = Memory.manifest

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        page = await super().pull(kind, cursor, scope=scope)
        for _ in range(30):
            if page.last:
                break
            more = await super().pull(kind, page.cursor, scope=scope)
            page = replace(more, changes=page.changes + more.changes)
        return page


@seen_by("found")
class Blind(Mutant):
    """It finds nothing."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        return None


@seen_by("not_found")
class Complaining(Mutant):
    """What isn't there is an error."""

    manifest = Memory.manifest

    async def find(self, query: Query) -> Found:
        found = await super().find(query)
        if found is None:
            raise Rejected("not there")
        return found
