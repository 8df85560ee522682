"""Whether an expression can be meant: its syntax, the functions it calls, and the names it reads. Pure."""

import difflib
import re
from collections.abc import Iterator, Mapping

import cel
import msgspec

from adapters.hints import meant

LONGEST = 4000
STRING = (
    r"[rRbB]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
)
_TOKEN = re.compile(
    rf"(?P<string>{STRING})|(?P<space>\s+|//[^\n]*)|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_]\w*)|(?P<sign>.)",
    re.DOTALL,
)
_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]+)")
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_OWN = _MACROS | frozenset(
    re.findall(
        r"\w+",
        """size contains startsWith endsWith matches timestamp duration int uint double string bytes has
        type getFullYear getMonth getDate getDayOfMonth getDayOfWeek
        getDayOfYear getHours getMinutes getSeconds getMilliseconds""",
    )
)
_WORDS = frozenset({"true", "false", "null", "in", "bool", "list", "map", "int", "uint", "double", "string"})
_OF_TEXTS = frozenset({"contains", "startsWith", "endsWith", "matches"})
_CALLED_ELSEWHERE = {"len": "size", "length": "size", "includes": "contains", "str": "string"}
_ELSEWHERE = {"True": "write true", "False": "write false", "None": "write null", "nil": "write null"}

Path = tuple[str, ...]
"""A name and the fields that are read of it: `("command", "person", "name")`."""


class Token(msgspec.Struct, frozen=True):
    """A piece of an expression."""

    kind: str
    text: str


class Call(msgspec.Struct, frozen=True):
    """A function with what it is given; `subject` says whether something stands before its dot."""

    name: str
    subject: bool
    arguments: tuple[tuple[Token, ...], ...]


def checked(
    source: str,
    reads: tuple[str, ...],
    settings: Mapping[str, bool] | None,
    *,
    functions: Mapping[str, int],
    secrets: bool,
) -> tuple[cel.Program, frozenset[Path]]:
    """The compiled expression, and what it reads.

    `functions` are ours, and how much each is given; `settings` the declared ones and whether each is
    secret, or None where that can't be known.

    Raises:
        ValueError: it reads or calls what is not there, or can't be read itself; says the cure.
    """
    if len(source) > LONGEST:
        raise ValueError(f"an expression is longer than {LONGEST} characters: split it")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ValueError(f"`{_brief(source)}` can't be read: {_syntax(str(error), source)}") from error
    tokens = [
        Token(str(found.lastgroup), found[0])
        for found in _TOKEN.finditer(source)
        if found.lastgroup != "space"
    ]
    calls = list(_calls(tokens))
    for call in calls:
        if fault := _misused(call, functions):
            raise ValueError(f"`{_brief(source)}`: {fault}")
    bound = {each.arguments[0][0].text for each in calls if each.name in _MACROS and each.arguments}
    paths = frozenset(path for path in _paths(tokens) if path[0] not in _WORDS | bound)
    for root, *rest in sorted(paths):
        if root not in reads:
            cure = _ELSEWHERE.get(root) or _dashed(root, source) or meant(root, reads)
            raise ValueError(f"`{_brief(source)}`: nothing is called {root} here; {cure}")
        if root == "settings" and rest and settings is not None:
            _check_setting(rest[0], settings, secrets=secrets)
    return program, paths


def _calls(tokens: list[Token]) -> Iterator[Call]:
    for index, token in enumerate(tokens):
        if token.kind == "name" and tokens[index + 1 : index + 2] == [Token("sign", "(")]:
            yield Call(
                token.text, index > 0 and tokens[index - 1].text == ".", _arguments(tokens[index + 2 :])
            )


def _arguments(tokens: list[Token]) -> tuple[tuple[Token, ...], ...]:
    """What stands between a bracket that was opened and its end, at each comma a new one."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        sign = token.text if token.kind == "sign" else ""
        if sign in {")", "]", "}"}:
            if depth == 0:
                break
            depth -= 1
        depth += sign in {"(", "[", "{"}
        if sign == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return tuple(tuple(each) for each in found if each)


def _misused(call: Call, functions: Mapping[str, int]) -> str:
    """What is wrong with a call; empty if nothing."""
    name, given = call.name, len(call.arguments) + call.subject
    if name not in _OWN | functions.keys() | _WORDS:
        known = sorted(_OWN | functions.keys())
        same = _CALLED_ELSEWHERE.get(name)
        close = [same] if same else difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        cure = f"did you mean {close[0]}?" if close else f"ours are: {', '.join(functions)}"
        return f"there is no function {name}; {cure}"
    if name in functions and given != functions[name]:
        wanted = ", ".join(("text" if name != "join" else "list", "between")[: functions[name]])
        return f"{name} takes {functions[name]}, and is given {given}: write {name}({wanted})"
    if name in _OF_TEXTS and (not call.subject or len(call.arguments) != 1):
        return f'{name} belongs to a text and takes one: write it.text.{name}("…")'
    return _broken_pattern(call) if name == "matches" else ""


def _broken_pattern(call: Call) -> str:
    """What is wrong with a regular expression that stands there as a text."""
    argument = call.arguments[0]
    if len(argument) != 1 or argument[0].kind != "string":
        return ""
    try:
        cel.compile(f'"".matches({argument[0].text})').execute(cel.Context())
    except RuntimeError as error:
        reason = re.search(r"^error: (.+?)(?:\. Check function|$)", str(error), re.MULTILINE)
        told = reason[1] if reason else "it can't be read"
        return f"{argument[0].text} is no regular expression: {told}; a literal sign wants \\\\ before it"
    return ""


def _paths(tokens: list[Token]) -> Iterator[Path]:
    """Each name that is read, with the plain fields after it."""
    for index, token in enumerate(tokens):
        if token.kind != "name" or (index and tokens[index - 1].text == "."):
            continue
        path, at = [token.text], index + 1
        while (
            [each.text for each in tokens[at : at + 1]] == ["."]
            and tokens[at + 1 : at + 2]
            and tokens[at + 1].kind == "name"
            and [each.text for each in tokens[at + 2 : at + 3]] != ["("]
        ):
            path.append(tokens[at + 1].text)
            at += 2
        if len(path) > 1 or [each.text for each in tokens[at : at + 1]] != ["("]:
            yield tuple(path)


def _check_setting(name: str, settings: Mapping[str, bool], *, secrets: bool) -> None:
    if name not in settings:
        raise ValueError(f"settings.{name} is none of the fields; {meant(name, tuple(settings))}")
    if settings[name] and not secrets:
        raise ValueError(f"settings.{name} is secret: it may be sent, but not read here")


def _dashed(name: str, source: str) -> str:
    """The cure where a field's name has a dash, which is a minus here."""
    found = re.search(rf"\.(\w+(?:-\w+)*-{re.escape(name)})(?!\w)", source)
    return f'a name with a dash is read as ["{found[1]}"]' if found else ""


def _brief(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 80 else f"{line[:77]}…"  # noqa: PLR2004 - a line of a terminal


_CURES = (
    (r"\b(?:and|or|not)\b", "write && for and, || for or, ! for not"),
    (r"[^=!<>]=[^=]", "write == to compare"),
    (r"\$\{", "${…} is for texts that are sent: here write the expression alone"),
    (r"\$\.|\[\*\]|\[\?", "this is no JSONPath: write it.author.name, it.list[0] or it.list.map(x, x.id)"),
    (r"[^&]&[^&]|[^|]\|[^|]", "write && for and, || for or"),
    (r"\bif\b.*\belse\b", "write condition ? this : that"),
    (r"\b[fF]['\"]", 'write "a" + it.b to join texts'),
)


def _syntax(message: str, source: str) -> str:
    found = _SYNTAX.search(message)
    reason = found[3].partition(" expecting ")[0].replace("'<EOF>'", "the end") if found else "not CEL"
    if "has() macro" in reason:
        return f"{reason}; it wants a field: write has(it.author)"
    bare = re.sub(rf"(?<![A-Za-z]){STRING}", '""', source)
    cure = next((cure for sign, cure in _CURES if re.search(sign, bare)), "")
    return f"{reason}; {cure or 'expressions are CEL, such as it.author.name'}"
