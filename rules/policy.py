"""Policies as written by operators: rules, messages, verdict measures and examples, parsed and checked."""

from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from adapters.model import Origin, Raw, Status
from rules.verdict import Measures


class Side(StrEnum):
    """Whose people take over."""

    DESK = "desk"
    SAAS = "saas"


class Priority(StrEnum):
    """How urgent a hand-off is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class HandOff(Struct, frozen=True, kw_only=True, tag="hand_off"):
    """Give the conversation to a person; `say` is the message that tells the customer."""

    to: Side
    queue: str = "general"
    priority: Priority = Priority.NORMAL
    say: str | None = None
    reason: str = ""


class Say(Struct, frozen=True, kw_only=True, tag="say"):
    """Say a message to the customer, in their language."""

    message: str


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """Write something that only agents see."""

    text: str


class Tag(Struct, frozen=True, kw_only=True, tag="tag"):
    """Add and remove tags of the conversation."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class SetStatus(Struct, frozen=True, kw_only=True, tag="set_status"):
    """Move the conversation to a status."""

    status: Status


class Assign(Struct, frozen=True, kw_only=True, tag="assign"):
    """Assign the conversation at the helpdesk to an agent or a team, by the vendor's id."""

    agent: str | None = None
    team: str | None = None


Action = HandOff | Say | Note | Tag | SetStatus | Assign


class Once(StrEnum):
    """How often a rule may act: once per turn, per lease epoch, or per conversation."""

    TURN = "turn"
    LEASE = "lease"
    CONVERSATION = "conversation"


class Rule(Struct, frozen=True, kw_only=True):
    """When the condition holds, then the actions are taken."""

    name: str
    when: str
    then: tuple[Action, ...]
    origins: tuple[Origin, ...] = (Origin.LIVE,)
    once: Once = Once.LEASE


class Message(Struct, frozen=True, kw_only=True):
    """A text for customers, in both languages."""

    zh: str
    en: str

    def render(self, language: str) -> str:
        """The text for a language tag such as `zh-Hant`, `zh_CN`, `en`; English for any other."""
        raise NotImplementedError


class Example(Struct, frozen=True, kw_only=True):
    """A policy's own example: given these facts, exactly these rules act."""

    name: str
    facts: Raw
    expect: tuple[str, ...]


class ExampleResult(Struct, frozen=True, kw_only=True):
    """How an example came out."""

    example: Example
    fired: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether exactly the expected rules acted, and nothing went wrong."""
        return self.fired == self.example.expect and not self.problems


class Policy(Struct, frozen=True, kw_only=True):
    """One policy file."""

    name: str
    revision: str
    rules: tuple[Rule, ...]
    messages: dict[str, Message] = field(default_factory=dict)
    verdicts: Measures | None = None
    examples: tuple[Example, ...] = ()

    def message(self, key: str, language: str) -> str:
        """The text of a message in the customer's language."""
        return self.messages[key].render(language)


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong in a policy file, where (counted from 1), and what to do about it."""

    file: str
    line: int
    column: int
    reason: str
    cure: str = ""

    def __str__(self) -> str:
        cure = f" ({self.cure})" if self.cure else ""
        return f"{self.file}:{self.line}:{self.column}: {self.reason}{cure}"


class PolicyError(ValueError):
    """A policy that can't be used; `problems` lists all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def parse_policy(text: str, *, file: str) -> Policy:
    """A policy from its text. Raises PolicyError."""
    raise NotImplementedError


def load_policies(directory: Path) -> tuple[Policy, ...]:
    """Every `*.yaml` of a directory, by file name. Raises PolicyError listing the problems of all."""
    raise NotImplementedError


def measures(policies: tuple[Policy, ...]) -> Measures:
    """The one `verdicts:` section among the policies, or the defaults."""
    return next((policy.verdicts for policy in policies if policy.verdicts), Measures())
