"""A YAML file read with its places, so that every mistake can say where it is."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from adapters.errors import InvalidSettings
from adapters.hints import Place, choices, meant, names

Step = str | int
Struct = TypeVar("Struct")
Hook = Callable[[type, Any], Any]

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|(\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_QUOTED = re.compile(r"^Invalid (?:enum )?value '(.*)'$")
_KEY = re.compile(r"`(\w+)` ")
_MOST = 200
_LARGEST = 20_000
"""More values than any description needs; a few anchors that repeat each other would make millions."""
_MERGE = "tag:yaml.org,2002:merge"
_BOOL = "tag:yaml.org,2002:bool"


class DescriptionError(InvalidSettings):
    """A description that can't be used; `flaws` are its mistakes, each with file, line, column and cure."""

    def __init__(self, flaws: tuple[str, ...]) -> None:
        super().__init__("\n".join(flaws))
        self.flaws = flaws


def _cure(problem: str) -> str:
    if r"'\t'" in problem:
        return "indent with spaces, not with tabs"
    return "put texts that hold { } : or # in quotes"


class Document:
    """One file: its values, where each stands, and what is wrong."""

    def __init__(self, path: Path) -> None:
        self._name = str(path)
        self._marks: dict[Place, tuple[int, int]] = {(): (0, 0)}
        self._flaws: list[tuple[int, int, str]] = []
        self._gone: set[Place] = set()
        self.value: Any = None
        self._built_nodes = 0
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise DescriptionError((f"{path}: can't be read ({error.strerror})",)) from error
        except UnicodeDecodeError as error:
            raise DescriptionError((f"{path}: is not UTF-8",)) from error
        except RecursionError as error:
            raise DescriptionError((f"{path}: its brackets are nested too deeply",)) from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            cure = _cure(str(error.problem))
            told = f"{path}{where}: not YAML: {error.problem or error.context}; {cure}"
            raise DescriptionError((told,)) from error
        if not isinstance(node, MappingNode):
            raise DescriptionError((f"{path}:1:1: a description is a mapping: begin it with `title: …`",))
        try:
            self.value = self._built(node, ())
        except RecursionError as error:
            raise DescriptionError((f"{path}: something in it holds itself, by an anchor (`&`)",)) from error

    def refuse(self, place: Place, reason: str) -> None:
        """Note a mistake."""
        while place not in self._marks:
            place = place[:-1]
        line, column = self._marks[place]
        self._flaws.append((line + 1, column + 1, reason))

    def close(self) -> None:
        """Raise DescriptionError if anything was wrong."""
        if self._flaws:
            told = sorted(dict.fromkeys(self._flaws))
            raise DescriptionError(
                tuple(f"{self._name}:{line}:{column}: {reason}" for line, column, reason in told)
            )

    def convert(self, kind: type[Struct], hook: Hook) -> Struct | None:
        """The whole file as a struct, or `None` with all mistakes noted.

        `hook` makes the values of types that msgspec doesn't know, and raises ValueError.
        """
        for _ in range(_MOST):
            try:
                return msgspec.convert(self.value, kind, dec_hook=hook)
            except msgspec.ValidationError as error:
                if not self._note_and_remove(kind, str(error), hook):
                    return None
        return None

    @property
    def is_flawed(self) -> bool:
        """Whether anything was wrong so far."""
        return bool(self._flaws)

    def _note_and_remove(self, kind: type, message: str, hook: Hook) -> bool:
        """Note what msgspec says, and take the culprit out, so that the next one shows."""
        value = self.value
        reason, _, where = message.partition(" - at `")
        is_key = where.startswith("key` in `")
        named = _QUOTED.search(reason)
        place = _followed(
            value,
            where.removeprefix("key` in `").removesuffix("`"),
            lambda partly: _told_of(partly, kind, hook) == message,
        )
        if is_key and named:
            place = (*place, named[1])
        unknown, missing = _UNKNOWN.match(reason), _MISSING.match(reason)
        if unknown:
            place = (*place, unknown[1])
            known = names(kind, place[:-1])
            self.refuse(place, f"`{unknown[1]}` is unknown here; {meant(unknown[1], known)}")
        elif missing:
            if (*place, missing[1]) not in self._gone:
                self.refuse(place, f"`{missing[1]}` is missing")
        elif not any(each[: len(place)] == place for each in self._gone):  # else it may only lack what went
            known = choices(kind, place, is_key=is_key)
            self.refuse(self._nearer(place, reason), _readable(reason, named[1] if named else "", known))
        self._gone.add(place)
        return self._removed(value, place)

    def _nearer(self, place: Place, reason: str) -> Place:
        """The place of the key that a reason begins with, where there is one."""
        key = _KEY.match(reason)
        return (*place, key[1]) if key and (*place, key[1]) in self._marks else place

    def _removed(self, value: Any, place: Place) -> bool:
        if not place:
            return False
        for step in place[:-1]:
            value = value[step]
        del value[place[-1]]
        if isinstance(value, list):
            self._close_up(place)
        return True

    def _close_up(self, place: Place) -> None:
        """What comes after an item that was taken out of a list moves up; its marks go along."""
        at, gone = len(place) - 1, place[-1]
        later = {
            each: mark
            for each, mark in self._marks.items()
            if each[:at] == place[:at] and len(each) > at and each[at] >= gone
        }
        for each in later:
            del self._marks[each]
        for each, mark in later.items():
            if each[at] > gone:
                self._marks[(*each[:at], each[at] - 1, *each[at + 1 :])] = mark

    def _built(self, node: Node, place: Place) -> Any:
        self._built_nodes += 1
        if self._built_nodes > _LARGEST:
            line = node.start_mark.line + 1
            told = f"{self._name}:{line}: more than {_LARGEST} values, for anchors repeat others: write less"
            raise DescriptionError((told,))
        match node:
            case MappingNode():
                return self._mapping(node, place)
            case SequenceNode():
                for index, each in enumerate(node.value):
                    self._mark((*place, index), each)
                return [self._built(each, (*place, index)) for index, each in enumerate(node.value)]
            case _:
                return SafeConstructor().construct_object(node)

    def _mapping(self, node: MappingNode, place: Place) -> Any:
        built: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._mark((*place, ...), key)
                self.refuse((*place, ...), "braces begin a mapping: put this text in quotes")
                continue
            if key.tag == _MERGE:
                continue
            # `on:` and `no:` are names here.
            name = key.value if key.tag == _BOOL else SafeConstructor().construct_object(key)
            self._mark((*place, name), key)
            if name in built:
                self.refuse((*place, name), f"`{name}` is here twice: keep one of them")
            built[name] = self._built(value, (*place, name))
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag == _MERGE:
                self._merge(value, built, place)
        return built

    def _merge(self, node: Node, built: dict[Any, Any], place: Place) -> None:
        """Take over, from what `<<:` names, whatever isn't there."""
        for each in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(each, MappingNode):
                self.refuse(place, "`<<:` takes over a mapping: name one, such as `<<: *other`")
                continue
            for key, value in each.value:
                if isinstance(key, ScalarNode) and key.value not in built:
                    self._mark((*place, key.value), key)
                    built[key.value] = self._built(value, (*place, key.value))

    def _mark(self, place: Place, node: Node) -> None:
        self._marks[place] = (node.start_mark.line, node.start_mark.column)


def _told_of(value: Any, kind: type, hook: Hook) -> str:
    """What msgspec says of a value first; nothing if it may be one."""
    try:
        msgspec.convert(value, kind, dec_hook=hook)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _followed(value: Any, where: str, is_it: Callable[[Any], bool]) -> Place:
    """The place that msgspec names; for `[...]`, any value of a mapping, the one that alone is wrong, too."""
    place: list[Any] = []
    inner = value
    for name, index, any_key in _STEP.findall(where):
        step: Any = name or (int(index) if index else None)
        if any_key and isinstance(inner, dict):
            step = next((key for key in inner if is_it(_only(value, place, key))), None)
        if step is None or (isinstance(inner, dict) and step not in inner):
            break
        place.append(step)
        inner = inner[step]
    return tuple(place)


def _only(value: Any, place: Sequence[Any], key: Any) -> Any:
    """The value with, of the mapping at that place, this one key alone."""
    if not place:
        return {key: value[key]}
    step, *rest = place
    changed = _only(value[step], rest, key)
    if isinstance(value, list):
        return [*value[:step], changed, *value[step + 1 :]]
    return {**value, step: changed}


_READABLE: Mapping[str, str] = {
    "str": "a text is expected: put it in quotes",
    "int": "a whole number is expected, without quotes",
    "float": "a number is expected, without quotes",
    "bool": "true or false is expected, without quotes",
    "object": "a mapping of names to values is expected, such as `name: value` on lines of their own",
    "array": "a list is expected: begin each item with a dash",
}
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")


def _readable(reason: str, named: str, known: tuple[str, ...]) -> str:
    if named and known:
        return f"`{named}` is none of the words that are known here; {meant(named, known)}"
    expected = _EXPECTED.match(reason)
    if expected is None:
        return reason
    if known:
        return f"one of our words is expected: {', '.join(known)}; the vendor's own stands before the colon"
    wanted = [each for each in expected[1].split(" | ") if each != "null"]
    cures = [_READABLE[each] for each in wanted if each in _READABLE]
    return "; or ".join(cures) if cures else reason
