"""Asking a live vendor for whatever changes nothing, and saying what can be done about what went wrong."""

from http import HTTPStatus

from msgspec import Struct

from adapters.blame import place
from adapters.contract import Adapter
from adapters.errors import AdapterError, BrokenAdapter, Fatal, Retryable
from adapters.manifest import Capability
from adapters.model import ConversationChanged, Page, PullKind

_PAGES = 2
_LISTED = {
    PullKind.CUSTOMERS: Capability.PULL_CUSTOMERS,
    PullKind.CONVERSATIONS: Capability.PULL_CONVERSATIONS,
    PullKind.MESSAGES: Capability.PULL_MESSAGES,
}


class Asked(Struct, frozen=True):
    """What was asked for, what came of it, and what is wrong, if anything."""

    what: str
    came: str
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.came}{self.problem and f'; {self.problem}'}"


async def ask(adapter: Adapter) -> list[Asked]:
    """Ask for whatever changes nothing: who we are, and two pages of each listing; what came of each.

    Raises:
        AdapterError: the credentials are no good, or nobody is there; says what to do.
    """
    try:
        told = [Asked("credentials", str(await adapter.check()))]
    except Exception as error:
        raise Fatal(f"connection {adapter.settings.connection!r}: {explained(error, adapter)}") from error
    conversation = ""
    for kind, needed in _LISTED.items():
        if not adapter.manifest.can(needed):
            continue
        if kind is PullKind.MESSAGES and not conversation:
            told.append(Asked(f"{kind}", "not asked for, there is no conversation yet"))
            continue
        pages, problem = await _pages(adapter, kind, conversation)
        changes = [change for page in pages for change in page.changes]
        threads = [change.conversation.id for change in changes if isinstance(change, ConversationChanged)]
        conversation = conversation or next(iter(threads), "")
        told.append(Asked(f"{kind}", f"{len(changes)} on the first pages", problem))
    return told


async def _pages(adapter: Adapter, kind: PullKind, conversation: str) -> tuple[list[Page], str]:
    pages: list[Page] = []
    cursor: str | None = None
    scope = conversation if kind is PullKind.MESSAGES else None
    for _ in range(_PAGES):
        try:
            page = await adapter.pull(kind, cursor, scope=scope)
            pages.append(page)
        except Exception as error:  # noqa: BLE001 - an author's adapter may raise anything
            return pages, explained(error, adapter)
        if page.last:
            break
        cursor = page.cursor
    return pages, ""


def explained(error: Exception, adapter: Adapter) -> str:
    """What went wrong with an adapter's asking, and what to look at."""
    if not isinstance(error, AdapterError):
        told = _without_secrets(repr(error), adapter)
        return f"{type(adapter).__name__} breaks: {told} ({place(error, adapter.home()) or place(error)})"
    return f"{error.detail}{_cure(error, adapter)}"


def _cure(error: AdapterError, adapter: Adapter) -> str:
    address = _without_secrets(str(adapter.http.base_url), adapter)
    match error:
        case BrokenAdapter():
            return ""
        case _ if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return f"; check the credentials{_named(adapter)}, their rights, and that they are for {address}"
        case _ if error.status == HTTPStatus.NOT_FOUND:
            return f"; check the address: {address}"
        case Retryable(status=None):
            return f"; check the address, {address}, and that it can be reached from here"
        case Retryable():
            return "; try again later"
        case _:
            return ""


def _named(adapter: Adapter) -> str:
    """The secrets that are sent; those of webhooks are none of them."""
    declared = adapter.signature or ()
    hooks = {each.secret_field for each in (declared if isinstance(declared, tuple) else (declared,))}
    sent = [field.name for field in adapter.manifest.fields if field.secret and field.name not in hooks]
    return f" ({', '.join(sent)})" if sent else ""


def _without_secrets(text: str, adapter: Adapter) -> str:
    for secret in adapter.settings.every_secret:
        text = text.replace(secret, "•••")
    return text
