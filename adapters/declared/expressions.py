"""Expressions in CEL, and texts that hold some: compiled once, checked before they ever run."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import quote

import cel
import msgspec

from adapters.declared.checking import STRING, Path, checked
from adapters.errors import Rejected
from adapters.hints import Place
from adapters.markup import marked_up, plain

_LITERAL = re.compile(STRING, re.DOTALL)
_PLAIN = re.compile(r"\s*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[^\"\\]*\"\])*\s*")
_HOLE = "\0"
_BRACES = re.compile(r"\{+\s*((?:command|settings|query|page|steps)\.[\w.]+|conversation_id)\s*\}+")
"""How others write what is to be filled in."""
_DOTTED = re.compile(r"\s*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\s*")


class Absent:
    """What an expression gives that reads something that isn't there."""


ABSENT = Absent()


def parsed(text: Any) -> Any:
    """The JSON value in a text; what is no text stays as it is, and what is no JSON is null."""
    if not isinstance(text, str):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": parsed,
    "plain": plain,
    "html": marked_up,
    "join": lambda items, between: str(between).join(map(str, items if isinstance(items, list) else ())),
    "split": lambda text, between: str(text or "").split(str(between) or None),
    "lower": lambda text: str(text or "").lower(),
}
"""Ours, beside CEL's own. None raises: CEL would write that to the standard output."""
_GIVEN = {name: len(inspect.signature(function).parameters) for name, function in FUNCTIONS.items()}


def facts(**values: Any) -> cel.Context:
    """What expressions may read, and our functions."""
    context = cel.Context()
    for name, value in values.items():
        context.add_variable(name, value)
    for name, function in FUNCTIONS.items():
        context.add_function(name, function)
    return context


class Expression:
    """One expression; subclasses say what it may read."""

    reads: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[bool] = False
    __slots__ = ("_above", "_program", "names", "source")

    def __init__(self, source: str, program: cel.Program, names: frozenset[Path]) -> None:
        self.source = source
        self.names = names
        self._program = program
        self._above = tuple(map(cel.compile, _above(source)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool] | None) -> Self:
        """From what the file holds; `settings` are the declared ones, if known, and whether each is secret.

        Raises:
            ValueError: it can't be used; says why, and the cure.
        """
        match given:
            case bool():
                source = str(given).lower()
            case int() | float():
                source = str(given)
            case str():
                source = given
            case _:
                raise ValueError("an expression is a text: put it in quotes")
        return cls(source, *checked(source, cls.reads, settings, functions=_GIVEN, secrets=cls.secrets))

    def value(self, context: cel.Context) -> Any:
        """What it gives; ABSENT where it can't be worked out of what there is. What is in null is null."""
        found = _executed(self._program, context)
        if found is not ABSENT:
            return found
        return None if any(_executed(each, context) is None for each in self._above) else ABSENT

    def holds(self, context: cel.Context) -> bool:
        """Whether it gives true."""
        return self.value(context) is True

    def sent(self, context: cel.Context) -> Any:
        """What it gives for a request; a plain name that isn't there is ABSENT.

        Raises:
            Rejected: anything longer can't be worked out: half a request must not be sent.
        """
        found = self.value(context)
        if found is ABSENT and not _PLAIN.fullmatch(self.source):
            raise Rejected(f"`{self.source}` can't be worked out here")
        return found


def _as_segment(value: Any) -> str:
    """A value inside a path: whatever it is, it leads nowhere else."""
    shown = _shown(value)
    if shown in {"", ".", ".."}:
        raise Rejected(f"{shown!r} names nothing that could stand in an address")
    return quote(shown, safe="")


def _executed(program: cel.Program, context: cel.Context) -> Any:
    try:
        return program.execute(context)
    except Exception:  # noqa: BLE001 - whatever CEL raises, there is no value
        return ABSENT


def _above(source: str) -> tuple[str, ...]:
    """Of a plain path such as `it.owner.id`, what it leads through: `it.owner`."""
    if not _DOTTED.fullmatch(source):
        return ()
    steps = source.strip().split(".")
    return tuple(".".join(steps[:end]) for end in range(len(steps) - 1, 1, -1))


class Template:
    """A text with expressions in `${…}`; one that is nothing else keeps its value's type."""

    reads: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[bool] = True
    __slots__ = ("_parts", "source")

    def __init__(self, source: str, parts: Sequence[str | Expression]) -> None:
        self.source = source
        self._parts = tuple(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @property
    def names(self) -> frozenset[Path]:
        """What it reads."""
        return frozenset().union(*(part.names for part in self._parts if isinstance(part, Expression)))

    @property
    def literal(self) -> str:
        """What stands in it as it is, with a mark where expressions are."""
        return "".join(part if isinstance(part, str) else _HOLE for part in self._parts)

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool] | None) -> Self:
        """From what the file holds. Raises ValueError, as expressions do."""
        if isinstance(given, dict | list):
            raise ValueError("this is a text: put it in quotes, JSON in single ones")  # noqa: TRY004 - msgspec wants it so
        if not isinstance(given, str):
            raise ValueError("this is a text: put it in quotes")  # noqa: TRY004 - likewise
        parts: list[str | Expression] = []
        for literal, source in _holes(given):
            if literal:
                parts.append(literal)
            if source:
                known = checked(source, cls.reads, settings, functions=_GIVEN, secrets=cls.secrets)
                parts.append(Expression(source, *known))
        made = cls(given, parts)
        if found := _BRACES.search(made.literal):
            raise ValueError(f"`{found[0]}` would be sent as it is: write ${{{found[1]}}}")
        return made

    def value(self, context: cel.Context) -> Any:
        """The text; of a single expression its value. ABSENT where something in it is. Raises Rejected."""
        if len(self._parts) == 1 and isinstance(self._parts[0], Expression):
            return self._parts[0].sent(context)
        return self._joined(context, _shown)

    def path(self, context: cel.Context) -> str:
        """The text as part of an address: values are quoted. Raises Rejected where one is missing."""
        joined = self._joined(context, _as_segment)
        if joined is ABSENT:
            raise Rejected(f"{self.source} needs something that isn't there")
        return str(joined)

    def text(self, context: cel.Context, otherwise: str = "") -> str:
        """The text, `otherwise` where something in it is missing. Raises Rejected."""
        found = self.value(context)
        return otherwise if found is ABSENT or found is None else _shown(found)

    def _joined(self, context: cel.Context, show: Callable[[Any], str]) -> Any:
        shown = []
        for part in self._parts:
            if isinstance(part, str):
                shown.append(part)
                continue
            value = part.sent(context)
            if value is ABSENT or value is None:
                return ABSENT
            shown.append(show(value))
        return "".join(shown)


class Tree:
    """A JSON value whose texts are templates; what is ABSENT in it is left out."""

    template: ClassVar[type[Template]] = Template
    __slots__ = ("_value", "source")

    def texts(self) -> Iterator[tuple[Place, Template]]:
        """Every text in it, by its place."""
        return _texts(self._value, ())

    def __init__(self, value: Any, source: str) -> None:
        self._value = value
        self.source = source

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool] | None) -> Self:
        """From what the file holds. Raises ValueError, as expressions do."""
        return cls(_planted(given, cls.template, settings), str(given))

    def value(self, context: cel.Context) -> Any:
        """The value. Raises Rejected."""
        return _grown(self._value, context)


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, Template]]:
    if isinstance(value, Template):
        yield place, value
    elif isinstance(value, dict | list):
        for step, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(each, (*place, step))


def _planted(given: Any, template: type[Template], settings: Mapping[str, bool] | None) -> Any:
    match given:
        case str():
            return template.compiled(given, settings)
        case {**names} if any(not isinstance(name, str) for name in names):
            raise ValueError("the names in a body are texts: put them in quotes")
        case dict():
            return {name: _planted(each, template, settings) for name, each in given.items()}
        case list():
            return [_planted(each, template, settings) for each in given]
        case _:
            return given


def _grown(value: Any, context: cel.Context) -> Any:
    match value:
        case Template():
            return value.value(context)
        case dict():
            grown = {name: _grown(each, context) for name, each in value.items()}
            return {name: each for name, each in grown.items() if each is not ABSENT}
        case list():
            return [each for each in (_grown(each, context) for each in value) if each is not ABSENT]
        case _:
            return value


def _shown(value: Any) -> str:
    match value:
        case str():
            return value
        case bool() | None | list() | dict():
            return msgspec.json.encode(value).decode()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _holes(text: str) -> Iterator[tuple[str, str]]:
    """The literal text before each `${…}`, and what stands in it; at the end the rest and nothing."""
    literal, index = "", 0
    while (start := text.find("${", index)) >= 0:
        if start > index and text[start - 1] == "$":  # $${ is a literal ${
            literal, index = literal + text[index : start - 1] + "${", start + 2
            continue
        end = _end_of_hole(text, start + 2)
        if not text[start + 2 : end].strip():
            raise ValueError("`${}` holds no expression")
        yield literal + text[index:start], text[start + 2 : end]
        literal, index = "", end + 1
    yield literal + text[index:], ""


def _end_of_hole(text: str, index: int) -> int:
    depth = 0
    while index < len(text):
        literal = _LITERAL.match(text, index)
        if literal and text[index] in "\"'rRbB":
            index = literal.end()
            continue
        if text[index] == "}" and depth == 0:
            return index
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        index += 1
    raise ValueError("a `${` is not closed by `}`")
