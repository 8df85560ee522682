"""The part of the configuration that says how one speaks on each channel."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SHORTEST_LIMIT = 100


class ChannelSettings(BaseModel):
    """How one speaks on one channel."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    public: bool = False
    """Whether everybody can read along: then nothing personal is said there."""
    longest: int | None = Field(default=None, ge=SHORTEST_LIMIT)
    """The longest message, in characters (Unicode code points); what is longer is said in several."""
    most_parts: int = Field(default=3, ge=1, le=9)
    """At most so many messages for one text; what is longer still ends with the phrase `reply.shortened`."""
    every: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(0)
    """The AI speaks once in so long in a conversation; what is said there meanwhile is one question."""
    files: bool | None = None
    """Whether people may send files there; unless given, only where not everybody can read along."""
    link: str = ""
    """Where to go on, put behind that phrase, such as a link that opens a direct message."""

    @property
    def takes_files(self) -> bool:
        """Whether people may send files there: what is in one, nobody can look through for personal data."""
        return not self.public if self.files is None else self.files


class CommentSettings(ChannelSettings):
    """Under a post."""

    public: bool = True
    """Whether everybody can read along: then nothing personal is said there."""
    longest: int | None = Field(default=1000, ge=SHORTEST_LIMIT)
    """The longest message, in characters (Unicode code points); what is longer is said in several."""


class LiveSettings(ChannelSettings):
    """In the stream of comments of a live broadcast."""

    public: bool = True
    """Whether everybody can read along: then nothing personal is said there."""
    every: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(seconds=3)
    """The AI speaks once in so long in a conversation; what is said there meanwhile is one question."""
    repeat_after: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=10))] = timedelta(
        seconds=30
    )
    """The same answer isn't given again in one stream before this has passed."""
    per_minute: int = Field(default=30, ge=1)
    """At most so many replies of the AI in one stream and minute; the others are dropped."""


class ChannelsSettings(BaseModel):
    """How one speaks on each channel; on one that is unknown, as on `other`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    comment: CommentSettings = CommentSettings()
    """Under a post."""
    live: LiveSettings = LiveSettings()
    """In the stream of comments of a live broadcast."""
    direct_message: ChannelSettings = ChannelSettings()
    """Between the customer and the shop alone."""
    product_page: ChannelSettings = ChannelSettings()
    """On a product's page: a chat window, unless `public` says that it is questions that all can read."""
    chat: ChannelSettings = ChannelSettings()
    """A chat window."""
    email: ChannelSettings = ChannelSettings()
    """Mail."""
    phone: ChannelSettings = ChannelSettings()
    """By phone."""
    other: ChannelSettings = ChannelSettings()
    """Anything else."""
    ours: tuple[str, ...] = ()
    """Your own addresses and numbers, which may be said in public, such as `*@shop.example`."""
    harmless: frozenset[str] = frozenset({"tier", "language", "locale", "country", "timezone", "currency"})
    """Attributes of customers whose values may be said in public."""

    def of(self, channel: str) -> ChannelSettings:
        """How one speaks on the channel of this name."""
        found = getattr(self, channel, None)
        return found if isinstance(found, ChannelSettings) else self.other
