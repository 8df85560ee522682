"""A YAML file read with its marks, so that every problem can say where it is."""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, get_args, get_origin

import msgspec
import yaml
from msgspec import Struct
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, SequenceNode

from config.refusal import RefusalError
from rules.hints import meant_or_all

_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
Reader = Callable[[Node], Any]


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


class PolicyError(RefusalError):
    """Policies that can't be used; `problems` lists all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Missing:
    """What a reader returns when it has reported a problem instead of reading a value."""


MISSING = Missing()


class Document:
    """The text of one file, and the problems found in it so far."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []

    def root(self) -> Node | None:
        """The top node, or `None` with a problem noted."""
        try:
            node = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._note(mark.line if mark else 0, mark.column if mark else 0, f"not YAML: {error.problem}")
            return None
        except yaml.YAMLError as error:
            self._note(0, 0, f"not YAML: {error}")
            return None
        if node is None:
            self._note(0, 0, "the file is empty", "a policy begins with `policy: its-name`")
        return node

    def refuse(self, node: Node, reason: str, cure: str = "", *, offset: int | None = None) -> Missing:
        """Note a problem at a node, or at a character of its text."""
        line, column = node.start_mark.line, node.start_mark.column
        if offset is not None:
            index = self._index_of(node, offset)
            line, column = self.text.count("\n", 0, index), index - (self.text.rfind("\n", 0, index) + 1)
        self._note(line, column, reason, cure)
        return MISSING

    def _note(self, line: int, column: int, reason: str, cure: str = "") -> None:
        self.problems.append(
            Problem(file=self.file, line=line + 1, column=column + 1, reason=reason, cure=cure)
        )

    def _index_of(self, node: Node, offset: int) -> int:
        """Where a character of a scalar stands in the file, through quotes, folds and indentation."""
        index, end = node.start_mark.index, node.end_mark.index
        for position, character in enumerate(node.value[: offset + 1]):
            here = index
            while here < end and self.text[here] != character:
                here += 1
            if here < end:
                index = here if position == offset else here + 1
        return min(index, len(self.text))

    def entries(self, node: Node, what: str) -> dict[str, tuple[Node, Node]]:
        """The key and value nodes of a mapping; anything else is a problem."""
        if not isinstance(node, MappingNode):
            self.refuse(node, f"{what} should be a mapping of names to values")
            return {}
        found: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if not isinstance(key.value, str):
                self.refuse(key, "a name should be plain text")
            elif key.value in found:
                self.refuse(key, f"`{key.value}` is here twice", "keep one of them")
            else:
                found[key.value] = (key, value)
        return found

    def items(self, node: Node, what: str) -> list[Node]:
        """The nodes of a list; anything else is a problem."""
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.refuse(node, f"{what} should be a list", "begin each item with a dash")
        return []

    def values(self, node: Node, cls: type[Struct], what: str, **readers: Reader) -> dict[str, Any]:
        """The fields of `cls` that a mapping gives; unknown names and wrong types are problems."""
        fields = {field.name: field for field in msgspec.structs.fields(cls)}
        found: dict[str, Any] = {}
        for name, (key, value) in self.entries(node, what).items():
            if name not in fields:
                self.refuse(key, f"{what} has no `{name}`", meant_or_all(name, list(fields)))
                continue
            read = readers.get(name)
            result = read(value) if read else self._typed(value, fields[name].type, name)
            if result is not MISSING:
                found[name] = result
        return found

    def struct(self, node: Node, cls: type[Struct], what: str, **readers: Reader) -> Any:
        """An instance of `cls` from a mapping, or `MISSING` with the problems noted."""
        before = len(self.problems)
        values = self.values(node, cls, what, **readers)
        if isinstance(node, MappingNode):
            given = {key.value for key, _ in node.value if isinstance(key.value, str)}
            for field in msgspec.structs.fields(cls):
                if field.required and field.name not in given:
                    self.refuse(node, f"{what} lacks `{field.name}`")
        return MISSING if len(self.problems) > before else cls(**values)

    def _typed(self, node: Node, annotation: Any, name: str) -> Any:
        wanted = _bare(annotation)
        if isinstance(wanted, type) and issubclass(wanted, Struct):
            return self.struct(node, wanted, f"`{name}`")
        if wanted is timedelta:
            return self._duration(node, name)
        try:
            value = SafeConstructor().construct_document(node)
            return msgspec.convert(value, wanted)
        except (msgspec.ValidationError, yaml.YAMLError, ValueError) as error:
            reason = str(error).partition(" - at ")[0].partition("\n")[0]
            return self.refuse(node, f"`{name}` is wrong: {reason}", _cure(wanted, node))

    def _duration(self, node: Node, name: str) -> timedelta | Missing:
        match = _DURATION.fullmatch(node.value) if isinstance(node.value, str) else None
        if match is None:
            return self.refuse(node, f"`{name}` should be a duration", "such as 15s, 5m, 4h, 1d or 1h30m")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    def close(self) -> None:
        """Raise PolicyError if anything was wrong."""
        if self.problems:
            raise PolicyError(tuple(sorted(self.problems, key=lambda p: (p.line, p.column))))


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _cure(wanted: Any, node: Node) -> str:
    element = get_args(wanted)[0] if get_origin(wanted) is tuple else wanted
    if get_origin(wanted) is tuple and not isinstance(node, SequenceNode):
        return f"write a list: [{node.value}]" if isinstance(node.value, str) else "write a list"
    if isinstance(element, type) and issubclass(element, StrEnum):
        choices = [member.value for member in element]
        return meant_or_all(node.value, choices) if isinstance(node.value, str) else f"choose from {choices}"
    if element in {str, str | None} and isinstance(node.value, str):
        return f'put it in quotes: "{node.value}"'
    return ""
