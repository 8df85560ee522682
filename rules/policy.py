"""Policies as written by operators: rules, messages, verdict measures and examples, parsed and checked."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from adapters.model import Origin
from rules.actions import (
    Action,
    Assign,
    Fallback,
    HandOff,
    Note,
    Priority,
    Receiver,
    Say,
    SetStatus,
    Side,
    Tag,
)
from rules.condition import ConditionError, compile_condition
from rules.document import MISSING, Document, PolicyError, Problem
from rules.facts import Facts
from rules.hints import meant_or_all
from rules.verdict import Measures

__all__ = [
    "Action",
    "Assign",
    "Example",
    "ExampleResult",
    "Fallback",
    "HandOff",
    "Message",
    "Note",
    "Once",
    "Policy",
    "PolicyError",
    "Priority",
    "Problem",
    "Receiver",
    "Rule",
    "Say",
    "SetStatus",
    "Side",
    "Tag",
    "load_policies",
    "measures",
    "parse_policy",
]


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


_CHINESE = frozenset({"zh", "cmn", "yue", "cn"})


class Message(Struct, frozen=True, kw_only=True):
    """A text for customers, in both languages."""

    zh: str
    en: str

    def render(self, language: str) -> str:
        """The text for a language tag such as `zh-Hant`, `zh_CN`, `en`; English for any other."""
        primary = language.replace("_", "-").partition("-")[0].lower()
        return self.zh if primary in _CHINESE else self.en


class Example(Struct, frozen=True, kw_only=True):
    """A policy's own example: given these facts, exactly these rules act."""

    name: str
    facts: Facts
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


_ACTIONS: dict[str, type[Action]] = {
    "hand_off": HandOff,
    "say": Say,
    "note": Note,
    "tag": Tag,
    "set_status": SetStatus,
    "assign": Assign,
}
_EXAMPLES_NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)


class _File(Struct, frozen=True, kw_only=True):
    """The sections of a policy file."""

    policy: str
    rules: tuple[Rule, ...]
    messages: dict[str, Message] = field(default_factory=dict)
    verdicts: Measures | None = None
    examples: tuple[Example, ...] = ()


def parse_policy(text: str, *, file: str, desks: Collection[str] = ()) -> Policy:
    """A policy from its text; it may hand off to these `desks`, too. Raises PolicyError."""
    document = Document(text, file)
    root = document.root()
    reader = _PolicyReader(document, desks)
    parsed = reader.file(root) if root is not None else MISSING
    document.close()
    assert isinstance(parsed, _File)
    return Policy(
        name=parsed.policy,
        revision=hashlib.sha256(text.encode()).hexdigest()[:12],
        rules=parsed.rules,
        messages=parsed.messages,
        verdicts=parsed.verdicts,
        examples=parsed.examples,
    )


class _PolicyReader:
    """Reads the sections of one document, noting every problem in it."""

    def __init__(self, document: Document, desks: Collection[str]) -> None:
        self._document = document
        self._desks = sorted(desks)
        self._rule_names: list[str] = []
        self._message_keys: list[str] = []
        self._expected: list[ScalarNode] = []
        self._said: list[ScalarNode] = []

    def file(self, root: Node) -> Any:
        """The whole file."""
        parsed = self._document.struct(
            root,
            _File,
            "a policy",
            rules=lambda node: self._each(node, "`rules`", self._rule),
            messages=self._messages,
            verdicts=lambda node: self._document.struct(node, Measures, "`verdicts`"),
            examples=lambda node: self._each(node, "`examples`", self._example),
        )
        self._check(self._expected, self._rule_names, "rule")
        self._check(self._said, self._message_keys, "message")
        return parsed

    def _each(self, node: Node, what: str, read: Callable[[Node], Any]) -> tuple[Any, ...]:
        results = [read(item) for item in self._document.items(node, what)]
        return tuple(result for result in results if result is not MISSING)

    def _check(self, uses: Sequence[ScalarNode], known: Sequence[str], what: str) -> None:
        for use in uses:
            if use.value not in known:
                cure = meant_or_all(use.value, known) if known else f"this policy has no {what}s"
                self._document.refuse(use, f"there is no {what} `{use.value}`", cure)

    def _rule(self, node: Node) -> Any:
        return self._document.struct(
            node, Rule, "a rule", name=self._rule_name, when=self._condition, then=self._actions
        )

    def _rule_name(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode) or not node.value:
            return self._document.refuse(node, "`name` should be a short text")
        if node.value in self._rule_names:
            self._document.refuse(node, f"there are two rules named {node.value}", "rename one of them")
        self._rule_names.append(node.value)
        return node.value

    def _condition(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            return self._document.refuse(node, "`when` should be a condition", "put it in quotes")
        try:
            compile_condition(node.value)
        except ConditionError as error:
            for flaw in error.flaws:
                self._document.refuse(node, flaw.reason, flaw.cure, offset=flaw.offset)
            return MISSING
        return node.value

    def _actions(self, node: Node) -> Any:
        actions = self._each(node, "`then`", self._action)
        if not actions and isinstance(node, SequenceNode) and not node.value:
            return self._document.refuse(node, "`then` is empty", "say what the rule does")
        return actions

    def _action(self, node: Node) -> Any:
        entries = self._document.entries(node, "an action")
        if len(entries) != 1:
            cure = "begin each with its own dash" if entries else "such as: - say: handoff.sorry"
            return self._document.refuse(node, "an item of `then` is exactly one action", cure)
        [(name, (key, value))] = entries.items()
        cls = _ACTIONS.get(name)
        if cls is None:
            return self._document.refuse(
                key, f"there is no action `{name}`", meant_or_all(name, list(_ACTIONS))
            )
        parsed = self._document.struct(
            _spelled_out(value, cls),
            cls,
            f"`{name}`",
            to=lambda node: self._receiver(node, Side),
            say=self._message_key,
            message=self._message_key,
            otherwise=self._fallback,
        )
        return self._timed(value, parsed) if isinstance(parsed, HandOff) else parsed

    def _fallback(self, node: Node) -> Any:
        parsed = self._document.struct(
            node,
            Fallback,
            "`otherwise`",
            to=lambda node: self._receiver(node, Receiver),
            say=self._message_key,
            otherwise=self._fallback,
        )
        if not isinstance(parsed, Fallback):
            return parsed
        if parsed.to == Receiver.AI and (parsed.queue or parsed.priority or parsed.accept_within):
            return self._document.refuse(
                node, "the AI takes it at once, from no queue", "with `to: ai`, give `say` alone"
            )
        return self._timed(node, parsed)

    def _receiver(self, node: Node, known: type[Side | Receiver]) -> Any:
        """Whose people take over: of the built-in desk, of the helpdesk, or of a desk at another vendor."""
        named = node.value if isinstance(node, ScalarNode) else None
        if named in self._desks:
            return named
        if named in {each.value for each in known}:
            return known(named)
        choices = [*(each.value for each in known), *self._desks]
        cure = meant_or_all(named, choices) if isinstance(named, str) else f"choose from {choices}"
        return self._document.refuse(node, f"`to` is wrong: nobody is called {named!r}", cure)

    def _timed(self, node: Node, offer: HandOff | Fallback) -> Any:
        """A time limit and what follows it belong together."""
        if offer.accept_within and offer.otherwise is None:
            cure = "add `otherwise`, or leave `accept_within` out: it then waits until somebody comes"
            return self._document.refuse(node, "nothing is said to happen after `accept_within`", cure)
        if offer.otherwise is not None and not offer.accept_within:
            return self._document.refuse(
                node, "`otherwise` would never happen", "add `accept_within`, such as 60s"
            )
        return offer

    def _message_key(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            return self._document.refuse(node, "this should be the name of a message")
        self._said.append(node)
        return node.value

    def _messages(self, node: Node) -> dict[str, Message]:
        entries = self._document.entries(node, "`messages`")
        self._message_keys = list(entries)
        read = {
            name: self._document.struct(value, Message, f"the message `{name}`")
            for name, (_, value) in entries.items()
        }
        return {name: message for name, message in read.items() if message is not MISSING}

    def _example(self, node: Node) -> Any:
        return self._document.struct(node, Example, "an example", facts=self._facts, expect=self._expectation)

    def _facts(self, node: Node) -> Any:
        before = len(self._document.problems)
        values = self._document.values(node, Facts, "the vocabulary of facts")
        if len(self._document.problems) > before:
            return MISSING
        return Facts(**{"now": _EXAMPLES_NOW, **values})

    def _expectation(self, node: Node) -> tuple[str, ...]:
        nodes = [item for item in self._document.items(node, "`expect`") if isinstance(item, ScalarNode)]
        self._expected += nodes
        return tuple(item.value for item in nodes)


def _spelled_out(value: Node, cls: type[Action]) -> Node:
    """`say: handoff.sorry` means `say: {message: handoff.sorry}`: a lone text is the first field."""
    first = msgspec.structs.fields(cls)[0]
    if not isinstance(value, ScalarNode) or not first.required:
        return value
    name = ScalarNode("tag:yaml.org,2002:str", first.name, value.start_mark, value.end_mark)
    return MappingNode("tag:yaml.org,2002:map", [(name, value)], value.start_mark, value.end_mark)


def load_policies(directory: Path, *, desks: Collection[str] = ()) -> tuple[Policy, ...]:
    """Every `*.yaml` of a directory, by file name; they may hand off to these `desks`, too.

    Raises PolicyError listing the problems of all.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            policies.append(parse_policy(path.read_text(encoding="utf-8"), file=str(path), desks=desks))
        except PolicyError as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_whole(path, f"the file can't be read: {error}", "save it as UTF-8"))
        else:
            problems += _clashes(path, policies)
    if not policies and not problems:
        problems.append(_whole(directory, "there is no policy here", "put a *.yaml file into it"))
    if problems:
        raise PolicyError(tuple(problems))
    return tuple(policies)


def _whole(path: Path, reason: str, cure: str) -> Problem:
    return Problem(file=str(path), line=1, column=1, reason=reason, cure=cure)


def _clashes(path: Path, policies: Sequence[Policy]) -> Iterator[Problem]:
    *others, latest = policies
    if latest.name in {policy.name for policy in others}:
        yield _whole(path, f"there are two policies named {latest.name}", "rename one of them")
    if latest.verdicts and any(policy.verdicts for policy in others):
        yield _whole(path, "another policy has a `verdicts:` section too", "keep one of them")


def measures(policies: Sequence[Policy]) -> Measures:
    """The one `verdicts:` section among the policies, or the defaults."""
    return next((policy.verdicts for policy in policies if policy.verdicts), Measures())
