"""Expressions in CEL, and texts that hold some: compiled once, checked before they ever run."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import quote

import cel
import msgspec

from adapters.errors import Rejected
from adapters.hints import meant
from adapters.markup import marked_up, plain

LONGEST = 4000
_NAME = re.compile(r"[A-Za-z_]\w*")
_LITERAL = re.compile(
    r"""[rRbB]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | //[^\n]* | (?<!\w)\d[\w.]*""",
    re.VERBOSE | re.DOTALL,
)
_PATH = re.compile(r"(?<![\w.)\]])([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*(?!\s*\())*)")
_PLAIN = re.compile(r"\s*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[^\"\\]*\"\])*\s*")
_DOTTED = re.compile(r"\s*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\s*")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_WORDS = frozenset({"true", "false", "null", "in", "bool", "list", "map"})
_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]+)")


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
    "join": lambda items, between: str(between).join(map(str, items or ())),
    "split": lambda text, between: str(text or "").split(str(between) or None),
    "lower": lambda text: str(text or "").lower(),
}
"""Ours, beside CEL's own. None raises: CEL would write that to the standard output."""
_OWN = frozenset(
    re.findall(
        r"\w+",
        """size contains startsWith endsWith matches timestamp duration int uint double string bytes has
        all exists exists_one map filter type getFullYear getMonth getDate getDayOfMonth getDayOfWeek
        getDayOfYear getHours getMinutes getSeconds getMilliseconds""",
    )
)


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
    __slots__ = ("_above", "_program", "source")

    def __init__(self, source: str, program: cel.Program) -> None:
        self.source = source
        self._program = program
        self._above = tuple(map(cel.compile, _above(source)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool]) -> Self:
        """From what the file holds; `settings` are the declared ones, and whether each is secret.

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
        return cls(source, _checked(source, cls.reads, settings, secrets=cls.secrets))

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

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool]) -> Self:
        """From what the file holds. Raises ValueError, as expressions do."""
        if not isinstance(given, str):
            raise ValueError("this is a text: put it in quotes")  # noqa: TRY004 - msgspec wants it so
        parts: list[str | Expression] = []
        for literal, source in _holes(given):
            if literal:
                parts.append(literal)
            if source:
                parts.append(Expression(source, _checked(source, cls.reads, settings, secrets=cls.secrets)))
        return cls(given, parts)

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

    def __init__(self, value: Any, source: str) -> None:
        self._value = value
        self.source = source

    @classmethod
    def compiled(cls, given: Any, settings: Mapping[str, bool]) -> Self:
        """From what the file holds. Raises ValueError, as expressions do."""
        return cls(_planted(given, cls.template, settings), str(given))

    def value(self, context: cel.Context) -> Any:
        """The value. Raises Rejected."""
        return _grown(self._value, context)


def _planted(given: Any, template: type[Template], settings: Mapping[str, bool]) -> Any:
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


def _checked(
    source: str, reads: tuple[str, ...], settings: Mapping[str, bool], *, secrets: bool
) -> cel.Program:
    """Compile; refuse what reads or calls something that is not there. Raises ValueError."""
    if len(source) > LONGEST:
        raise ValueError(f"an expression is longer than {LONGEST} characters: split it")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ValueError(f"`{_brief(source)}` can't be read: {_syntax(str(error), source)}") from error
    bare = _LITERAL.sub(lambda found: '""' if found[0][0] in "\"'rRbB" else " ", source)
    for name in _CALL.findall(bare):
        if name not in _OWN | FUNCTIONS.keys() | _WORDS:
            close = difflib.get_close_matches(name, sorted(_OWN | FUNCTIONS.keys()), n=1, cutoff=0.6)
            cure = f"did you mean {close[0]}?" if close else f"ours are: {', '.join(FUNCTIONS)}"
            raise ValueError(f"`{_brief(source)}`: there is no function {name}; {cure}")
    bound = set(_BOUND.findall(bare))
    for found in _PATH.finditer(bare):
        root, rest = found[1], [part.strip() for part in found[2].split(".")[1:]]
        after = bare[found.end() :].lstrip()
        if root in _WORDS | bound or (not rest and after.startswith("(")):
            continue
        if root not in reads:
            raise ValueError(f"`{_brief(source)}`: nothing is called {root} here; {meant(root, reads)}")
        if root == "settings" and rest:
            _check_setting(rest[0], settings, secrets=secrets)
    return program


def _check_setting(name: str, settings: Mapping[str, bool], *, secrets: bool) -> None:
    if name not in settings:
        raise ValueError(f"settings.{name} is none of the fields; {meant(name, tuple(settings))}")
    if settings[name] and not secrets:
        raise ValueError(f"settings.{name} is secret: it may be sent, but not read here")


def _brief(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 80 else f"{line[:77]}…"  # noqa: PLR2004 - a line of a terminal


def _syntax(message: str, source: str) -> str:
    found = _SYNTAX.search(message)
    reason = found[3].partition(" expecting ")[0].replace("'<EOF>'", "the end") if found else "not CEL"
    words = set(_NAME.findall(source))
    if words & {"and", "or", "not"}:
        return f"{reason}; write && for and, || for or, ! for not"
    if re.search(r"[^=!<>]=[^=]", source):
        return f"{reason}; write == to compare"
    if "${" in source:
        return f"{reason}; ${{…}} is for texts that are sent: here write the expression alone"
    return f"{reason}; expressions are CEL, such as it.author.name"
