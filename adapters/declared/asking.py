"""What a description may say of requests: commands, pages, lookups."""

from typing import Literal

import msgspec

from adapters.declared.places import Body, If, InRequest, OfAnswer, OfItem, Part


class Request(Part, frozen=True, kw_only=True):
    """One request. `files` is the name of the part that takes our files: with some, it goes as a form."""

    get: InRequest | None = None
    post: InRequest | None = None
    put: InRequest | None = None
    patch: InRequest | None = None
    delete: InRequest | None = None
    query: dict[str, InRequest] = msgspec.field(default_factory=dict)
    headers: dict[str, InRequest] = msgspec.field(default_factory=dict)
    body: Body | None = None
    form: Body | None = None
    files: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no request."""
        if sum(each is not None for each in (self.get, self.post, self.put, self.patch, self.delete)) != 1:
            raise ValueError("a request has one of `get`, `post`, `put`, `patch` and `delete`, with its path")
        if self.body is not None and self.form is not None:
            raise ValueError("a request has a `body` (JSON) or a `form`, not both")
        if self.get is not None and (self.body is not None or self.form is not None):
            raise ValueError("a `get` carries no body: put it into `query`, or write `post`")

    @property
    def verb(self) -> tuple[str, InRequest]:
        """The method and the path."""
        given = {name: getattr(self, name) for name in ("get", "post", "put", "patch", "delete")}
        return next((name.upper(), path) for name, path in given.items() if path is not None)

    @property
    def sources(self) -> str:
        """All that it reads, as one text."""
        parts = [self.verb[1], self.body, self.form, *self.query.values(), *self.headers.values()]
        return "\n".join(part.source for part in parts if part is not None)


class Step(Request, frozen=True, kw_only=True):
    """A request of a command. Its answer is `steps.NAME` for those after it, under the name in `as`.

    With `each`, a list, it is made once for every item, which is `it`.
    """

    when: If | None = None
    each: If | None = None
    name: str = msgspec.field(default="", name="as")


class Yields(Part, frozen=True, kw_only=True):
    """What the answer to a command holds."""

    id: OfAnswer | None = None
    at: OfAnswer | None = None
    customer: OfAnswer | None = None
    conversation: OfAnswer | None = None
    reception: OfAnswer | None = None
    position: OfAnswer | None = None


class Command(Part, frozen=True, kw_only=True):
    """The requests that carry a command out, one after the other."""

    requests: list[Step]
    yields: Yields = Yields()

    def __post_init__(self) -> None:
        """Refuse one that does nothing."""
        if not self.requests:
            raise ValueError("a command needs one request at least")


class Check(Request, frozen=True, kw_only=True):
    """The request that proves the credentials, and whom they belong to."""

    says: OfAnswer


class Next(Part, frozen=True, kw_only=True):
    """How the next page is asked for: by `page.number`, `page.offset`, `page.cursor`, or the header Link."""

    by: Literal["number", "offset", "cursor", "link", "nothing"]
    cursor: OfAnswer | None = None
    first: int | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        if (self.by == "cursor") != (self.cursor is not None):
            raise ValueError("`cursor` names where the next cursor is, with `by: cursor` and only there")
        if self.most is not None and self.most < 1:
            raise ValueError("`most` is how many pages the vendor gives at most: 1 or more")


class Search(Request, frozen=True, kw_only=True):
    """A list: of messages among which ours is looked for, or of what comes before a listing's first page."""

    items: OfAnswer


class Listing(Request, frozen=True, kw_only=True):
    """How something is listed.

    `size` is how many a full page holds. With `order: oldest` the vendor lists by last change and takes
    `page.since`; with `newest` the walk ends where the last one began; a `feed` goes on after its last
    cursor; with `any` it starts over each time. `last` ends a walk earlier than the rules of `next` do.
    """

    items: OfAnswer
    next: Next = Next(by="nothing")
    size: int = 0
    order: Literal["oldest", "newest", "feed", "any"] = "any"
    since: Literal["iso", "s", "ms"] = "iso"
    total: OfAnswer | None = None
    last: OfAnswer | None = None
    head: Search | None = None
    customer: OfItem | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        super().__post_init__()
        if self.size < 0:
            raise ValueError("`size` is how many a full page holds: 1 or more")


class Lookup(Request, frozen=True, kw_only=True):
    """How one thing is looked up."""

    found: OfAnswer


class Find(Part, frozen=True, kw_only=True):
    """What can be looked up; customers by the kind of their address."""

    message: Search | None = None
    get_message: Lookup | None = None
    conversation: Lookup | None = None
    opened: Lookup | None = None
    customer: dict[Literal["vendor", "email", "phone", "external"], Lookup] = msgspec.field(
        default_factory=dict
    )
