"""The play: who the customers are, what they say, and what must happen then."""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from adapters.model import Channel
from adapters.vendors.memory.faults import Misbehaviour

PLAY = Path(__file__).with_name("play.yaml")


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must follow a customer's words; exactly one of these."""

    cites: str = ""
    """An answer that names the article of this title."""
    reply: Literal["", "small talk", "no answer"] = ""
    """A reply without an article: a courtesy, or "I don't know"."""
    hand_off: str = ""
    """A hand-off by this rule, told to the customer and noted at the helpdesk."""
    silence: bool = False
    """No word from the AI."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happens: the customer speaks, a person at the helpdesk does, or one at the desk acts."""

    say: str | tuple[str, ...] = ()
    expect: Expected | None = None
    hook: Misbehaviour | None = None
    """How the helpdesk's webhook for these words goes wrong."""
    vendor: Misbehaviour | None = None
    """How the helpdesk's API goes wrong when the reply comes."""
    interrupted: str = ""
    """A person at the helpdesk writes this before the AI's answer is ready."""
    agent: str = ""
    """A person at the helpdesk writes this."""
    desk: Literal["", "claim", "reply", "resolve", "return"] = ""
    text: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """What the customer writes, message by message."""
        return (self.say,) if isinstance(self.say, str) else self.say


class Customer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer and their story. They are all made up."""

    name: str
    email: str
    about: str
    channel: Channel = Channel.CHAT
    attributes: dict[str, str] = {}
    steps: tuple[Step, ...]
    turns: tuple[Literal["resolved", "unresolved", "open"], ...]
    """The verdicts on their turns, in order, when all is over."""


def load_play(path: Path = PLAY) -> tuple[Customer, ...]:
    """The customers of a play. Raises msgspec.ValidationError naming the place of a mistake."""
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    return msgspec.convert(tree["customers"], tuple[Customer, ...])
