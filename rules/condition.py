"""One condition in CEL: compiled once, checked against the declared facts before it ever runs."""

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import cel
from msgspec import Struct

from rules.facts import GROUPS, ROOTS, VOCABULARY, Fact, Kind, declared
from rules.hints import meant, meant_or_all

FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """size contains startsWith endsWith matches duration timestamp int uint double string
        has all exists exists_one map filter
        getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear
        getHours getMinutes getSeconds getMilliseconds""",
    )
)
"""What a condition may call."""

_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_WORDS = frozenset({"true", "false", "null", "in"})
_LONGEST = 2000
_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
      | (?P<string>[rRbB]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
                                |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<number>\d[\w.]*)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>&&|\|\||[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.+)")


class Flaw(Struct, frozen=True):
    """What is wrong in a condition, and at which character."""

    offset: int
    reason: str
    cure: str = ""


class ConditionError(ValueError):
    """A condition that can't be used; `flaws` lists everything that is wrong with it."""

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__("; ".join(flaw.reason for flaw in flaws))
        self.flaws = flaws


class UndecidedError(Exception):
    """A condition could not be evaluated on these facts; the message says why."""


class Token(NamedTuple):
    """A piece of CEL source."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.start + len(self.text)


class Reference(NamedTuple):
    """A fact that a condition names."""

    path: str
    start: int


class Condition:
    """A compiled condition and the facts that it reads."""

    __slots__ = ("_program", "reads", "source")

    def __init__(self, source: str, program: cel.Program, reads: tuple[str, ...]) -> None:
        self.source = source
        self.reads = reads
        self._program = program

    def holds(self, context: cel.Context) -> bool:
        """Whether it is true. Raises UndecidedError."""
        try:
            result = self._program.execute(context)
        except Exception as error:
            raise UndecidedError(_explain(error)) from error
        if not isinstance(result, bool):
            raise UndecidedError(f"the condition gave {result!r} instead of true or false")
        return result


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r} here; guard it with has(…)"
    return str(error).partition(". ")[0]


@lru_cache(maxsize=4096)
def compile_condition(source: str) -> Condition:
    """Compile and check a condition. Raises ConditionError."""
    if len(source) > _LONGEST:
        raise ConditionError((Flaw(0, f"the condition is longer than {_LONGEST} characters", "split it"),))
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ConditionError((_syntax_flaw(source, str(error)),)) from error
    tokens = _tokens(source)
    references = list(_references(tokens))
    flaws = [*_unknown_facts(references), *_unknown_functions(tokens), *_wrong_comparisons(tokens)]
    flaws = flaws or list(_mistyped(source, tokens))
    if flaws:
        raise ConditionError(tuple(sorted(flaws, key=lambda flaw: flaw.offset)))
    return Condition(source, program, tuple(dict.fromkeys(reference.path for reference in references)))


def _syntax_flaw(source: str, message: str) -> Flaw:
    found = _SYNTAX.search(message)
    line, column, reason = found.groups() if found else ("1", "1", message)
    before = source.splitlines(keepends=True)[: int(line) - 1]
    offset = min(sum(map(len, before)) + int(column) - 1, max(len(source) - 1, 0))
    reason = reason.partition(" expecting ")[0].replace("'<EOF>'", "the end")
    words = {token.text for token in _tokens(source)}
    if words & {"and", "or", "not", "AND", "OR", "NOT"}:
        cure = "write && for and, || for or, ! for not"
    elif "=" in words:
        cure = "write == to compare"
    else:
        cure = "conditions are CEL, such as: ai.failed_turns >= 3"
    return Flaw(offset, f"the condition can't be read: {reason}", cure)


def _tokens(source: str) -> list[Token]:
    found = (Token(str(match.lastgroup), match.group(), match.start()) for match in _TOKEN.finditer(source))
    return [token for token in found if token.kind != "blank"]


def _text_at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _path_from(tokens: Sequence[Token], start: int) -> tuple[str, int]:
    """The dotted path that begins at a name, and the index after it; a method's name is no part of it."""
    path, index = tokens[start].text, start + 1
    while True:
        after = tokens[index : index + 3]
        match [token.kind for token in after[:2]], [token.text for token in after]:
            case ["sign", "name"], [".", name, *rest] if rest != ["("]:
                path, index = f"{path}.{name}", index + 2
            case ["sign", "string"], ["[", key, "]"]:
                path, index = f"{path}.{key[1:-1]}", index + 3
            case _:
                return path, index


def _references(tokens: Sequence[Token]) -> Iterator[Reference]:
    bound = {
        tokens[index + 2].text
        for index, token in enumerate(tokens[:-2])
        if token.text in _MACROS and tokens[index + 1].text == "("
    }
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text in _WORDS | bound or _text_at(tokens, index - 1) == ".":
            continue
        if _text_at(tokens, index + 1) != "(":
            yield Reference(_path_from(tokens, index)[0], token.start)


def _meant_fact(path: str) -> str:
    leaves = {known.rpartition(".")[2]: known for known in reversed(VOCABULARY)}
    close = difflib.get_close_matches(path.rpartition(".")[2], list(leaves), n=1, cutoff=0.75)
    return meant(path, list(VOCABULARY)) or (f"did you mean {leaves[close[0]]}?" if close else "")


def _unknown_facts(references: Sequence[Reference]) -> Iterator[Flaw]:
    for path, start in references:
        if declared(path):
            continue
        parent = path.rpartition(".")[0]
        if path in GROUPS:
            members = [known for known in VOCABULARY if known.startswith(f"{path}.")]
            yield Flaw(start, f"{path} is a group of facts, not one", f"name one of: {', '.join(members)}")
        elif parent in VOCABULARY:
            yield Flaw(start, f"{parent} is of kind {VOCABULARY[parent].kind}; nothing is inside it")
        else:
            cure = _meant_fact(path) or f"facts begin with one of: {', '.join(sorted(ROOTS))}"
            yield Flaw(start, f"there is no fact {path}", cure)


def _unknown_functions(tokens: Sequence[Token]) -> Iterator[Flaw]:
    for index, token in enumerate(tokens):
        is_call = token.kind == "name" and _text_at(tokens, index + 1) == "("
        if is_call and token.text not in FUNCTIONS | _WORDS:
            cure = meant(token.text, sorted(FUNCTIONS)) or f"there are: {', '.join(sorted(FUNCTIONS))}"
            yield Flaw(token.start, f"there is no function {token.text}", cure)


def _comparisons(tokens: Sequence[Token]) -> Iterator[tuple[Fact, Token]]:
    """Each fact that is compared for equality with a literal, or looked up in a list of them."""
    for index, token in enumerate(tokens):
        if token.kind != "name" or _text_at(tokens, index - 1) == ".":
            continue
        path, after = _path_from(tokens, index)
        fact = VOCABULARY.get(path)
        if fact is None:
            continue
        if _text_at(tokens, after) in {"==", "!="} and after + 1 < len(tokens):
            yield fact, tokens[after + 1]
        if _text_at(tokens, index - 1) in {"==", "!=", "in"} and index > 1:
            yield fact, tokens[index - 2]
        if _text_at(tokens, after) == "in" and _text_at(tokens, after + 1) == "[":
            end = next((i for i in range(after, len(tokens)) if tokens[i].text == "]"), len(tokens))
            yield from ((fact, item) for item in tokens[after + 2 : end])


def _wrong_comparisons(tokens: Sequence[Token]) -> Iterator[Flaw]:
    """CEL finds things of different kinds unequal without a word; an operator wants to hear of it."""
    for fact, literal in _comparisons(tokens):
        if literal.kind == "string":
            value = literal.text.strip("\"'")
            if fact.kind not in {Kind.STRING, Kind.STRINGS, Kind.MAP}:
                yield Flaw(
                    literal.start, f"{fact.path} is of kind {fact.kind}, never the text {literal.text}"
                )
            elif fact.choices and value not in fact.choices:
                yield Flaw(
                    literal.start,
                    f"{fact.path} is never {literal.text}",
                    meant_or_all(value, fact.choices),
                )
        elif literal.kind == "number" and fact.kind not in {Kind.INT, Kind.DOUBLE}:
            cure = 'write a duration as duration("15s")' if fact.kind is Kind.DURATION else ""
            yield Flaw(
                literal.start, f"{fact.path} is of kind {fact.kind}, never the number {literal.text}", cure
            )


def _enclosed(tokens: Sequence[Token]) -> bool:
    """Whether the first parenthesis closes at the very end."""
    if not tokens or tokens[0].text != "(":
        return False
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        if depth == 0:
            return index == len(tokens) - 1
    return False


def _operands(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The parts that `&&`, `||` and `!` join; each has to be true or false by itself."""
    depth, cuts, conditional = 0, [-1], False
    for index, token in enumerate(tokens):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        conditional |= depth == 0 and token.text == "?"
        if depth == 0 and token.text in {"&&", "||"}:
            cuts.append(index)
    if conditional:
        yield tokens
    elif len(cuts) > 1:
        for start, end in zip(cuts, [*cuts[1:], len(tokens)], strict=True):
            yield from _operands(tokens[start + 1 : end])
    elif tokens and tokens[0].text == "!":
        yield from _operands(tokens[1:])
    elif _enclosed(tokens):
        yield from _operands(tokens[1:-1])
    else:
        yield tokens


_AT_REST: dict[Kind, Any] = {
    Kind.BOOL: False,
    Kind.INT: 0,
    Kind.DOUBLE: 0.0,
    Kind.STRING: "",
    Kind.STRINGS: (),
    Kind.MAP: {},
    Kind.DURATION: timedelta(0),
    Kind.TIMESTAMP: datetime(2025, 1, 1, tzinfo=UTC),
}
_BUSY: dict[Kind, Any] = {
    **_AT_REST,
    Kind.BOOL: True,
    Kind.INT: 3,
    Kind.DOUBLE: 0.5,
    Kind.STRING: "1",
    Kind.STRINGS: ("1",),
    Kind.DURATION: timedelta(minutes=1),
}


def _sample(values: dict[Kind, Any]) -> dict[str, Any]:
    sample: dict[str, Any] = {}
    for path, fact in VOCABULARY.items():
        group, _, name = path.rpartition(".")
        (sample.setdefault(group, {}) if group else sample)[name] = values[fact.kind]
    return sample


_SAMPLES = (_sample(_AT_REST), _sample(_BUSY))


def _mistyped(source: str, tokens: Sequence[Token]) -> Iterator[Flaw]:
    """Try each operand by itself, so that no short circuit hides a mistake."""
    for operand in _operands(tokens):
        text = source[operand[0].start : operand[-1].end]
        flaws = (_tried(text, operand[0].start, sample) for sample in _SAMPLES)
        yield from (flaw for flaw in list(dict.fromkeys(flaws)) if flaw)


def _tried(text: str, start: int, sample: dict[str, Any]) -> Flaw | None:
    try:
        result = cel.compile(text).execute(sample)
    except TypeError:
        return Flaw(start, f"`{text}` mixes things of different kinds", _kinds_in(text))
    except RuntimeError as error:
        depends_on_data = re.match(r"Function '(int|uint|double)'", str(error))
        return None if depends_on_data else Flaw(start, f"`{text}` can't work: {_explain(error)}")
    except Exception:  # noqa: BLE001 - a missing key, a division by zero: that depends on the data
        return None
    if isinstance(result, bool):
        return None
    return Flaw(start, f"`{text}` is neither true nor false", f"compare it with something; {_kinds_in(text)}")


def _kinds_in(text: str) -> str:
    facts = (declared(reference.path) for reference in _references(_tokens(text)))
    kinds = [f"{path} is of kind {VOCABULARY[path].kind}" for path in dict.fromkeys(facts) if path]
    if any(path.endswith("duration") for path in kinds):
        kinds.append('write a duration as duration("15s")')
    return "; ".join(kinds)
