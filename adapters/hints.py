"""What a person may have meant who wrote something that isn't known, and what would be."""

import difflib
import re
from collections.abc import Sequence
from enum import StrEnum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

Place = tuple[Any, ...]
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_WORD = re.compile(r"Invalid (?:enum )?value '(.*)'")


def meant(word: str, known: Sequence[str]) -> str:
    """A hint at the known word that this one resembles, else all that are known."""
    lowered = {each.lower(): each for each in reversed(known)}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f"did you mean {lowered[close[0]]}?" if close else f"there are: {', '.join(known) or 'none'}"


def cured(kind: type, error: msgspec.ValidationError) -> str:
    """What msgspec says of a value that is no `kind`, with a hint at what was meant."""
    reason, _, where = str(error).partition(" - at `$")
    place: Place = tuple(
        name or (int(index) if index.isdecimal() else ...) for name, index in _STEP.findall(where)
    )
    if unknown := _UNKNOWN.match(reason):
        return f"{error}; {meant(unknown[1], names(kind, place))}"
    word = _WORD.match(reason)
    known = choices(kind, place, is_key=False) if word else ()
    return f"{error}; {meant(word[1], known)}" if word and known else str(error)


def names(kind: Any, place: Place) -> tuple[str, ...]:
    """The fields of the struct at a place."""
    structs = [
        each for each in _at(kind, place) if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]
    return tuple(
        dict.fromkeys(field.encode_name for each in structs for field in msgspec.structs.fields(each))
    )


def choices(kind: Any, place: Place, *, is_key: bool) -> tuple[str, ...]:
    """The words that are allowed at a place: of an enumeration, or the tags of a union."""
    if is_key:
        return tuple(
            word for each in _at(kind, place[:-1]) for word in _words(getattr(each, "__args__", (0,))[0])
        )
    here = tuple(word for each in _at(kind, place) for word in _words(each))
    return here or tuple(
        str(each.__struct_config__.tag)
        for each in _at(kind, place[:-1])
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__struct_config__.tag
    )


def _words(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(each.value for each in kind)
    return tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()


def _at(kind: Any, place: Place) -> tuple[Any, ...]:
    """The types that are allowed at a place."""
    kinds = _options(kind)
    for step in place:
        kinds = tuple(option for each in kinds for inner in _inner(each, step) for option in _options(inner))
    return kinds


def _inner(kind: Any, step: Any) -> tuple[Any, ...]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return tuple(field.type for field in msgspec.structs.fields(kind) if field.encode_name == step)
    held = [each for each in get_args(kind) if each is not ...]
    return (held[-1],) if held and get_origin(kind) in {list, tuple, dict, frozenset} else ()


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
