"""One article as it was written, read field by field, with every problem named."""

import difflib
import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from knowledge.language import UNDETERMINED, detect
from knowledge.text import Piece


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with the input: where, what, and the cure."""

    source: str
    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.source}: {self.where}" if self.where else self.source
        return f"{place}: {self.what}. {self.cure}."


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An article ready to be stored; its checksum covers all that a customer could notice."""

    id: str
    language: str
    title: str
    body: str
    source: str
    pieces: tuple[Piece, ...]
    questions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    url: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def checksum(self) -> str:
        """Equal for equal content, wherever it came from."""
        content = {
            key: value for key, value in msgspec.to_builtins(self).items() if key not in {"id", "source"}
        }
        return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


class Fields:
    """Reads the fields of one article and notes what is wrong with them."""

    def __init__(self, values: Mapping[str, Any], *, source: str, where: str = "") -> None:
        self._values = {key: value for key, value in values.items() if value not in (None, "")}
        self._source = source
        self._where = where
        self.problems: list[Problem] = []

    def wrong(self, what: str, cure: str, *, field: str | None = None) -> None:
        """Note a problem."""
        place = ", ".join(part for part in (self._where, f"field {field!r}" if field else "") if part)
        self.problems.append(Problem(self._source, place, what, cure))

    def only(self, known: frozenset[str]) -> None:
        """Refuse fields that nobody reads: they are mostly misspelt."""
        for name in self._values.keys() - known:
            near = difflib.get_close_matches(str(name), known, n=1)
            cure = f"Perhaps {near[0]!r} is meant" if near else f"Known fields: {', '.join(sorted(known))}"
            self.wrong("unknown field", cure, field=str(name))

    def text(self, name: str, *, required: bool = False) -> str | None:
        """A line of text; numbers are taken as written."""
        value = self._values.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
        if value is not None:
            self.wrong(f"expected text, found {type(value).__name__}", "Put the value in quotes", field=name)
        elif required:
            self.wrong("missing", f"Fill in the {name}", field=name)
        return None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one text counts as a list of one."""
        value = self._values.get(name, [])
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(item, str | int | float) for item in listed):
            return tuple(str(item).strip() for item in listed)
        cure = "Write one text per line, each with '- ' before it and in quotes if it has a colon"
        self.wrong("expected a list of texts", cure, field=name)
        return ()

    def moment(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        """A date (in UTC) or a time with an offset; `end_of_day` makes a date include its whole day."""
        value = self._values.get(name)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime):
            if value.tzinfo is not None:
                return value.astimezone(UTC)
            self.wrong("a time without an offset", "Add one, as in 2026-11-11T00:00:00+08:00", field=name)
        elif isinstance(value, date):
            return datetime.combine(value, time(), UTC) + timedelta(days=end_of_day)
        elif name in self._values:
            cure = "Write a date as in 2026-11-11 or a time as in 2026-11-11T20:00:00+08:00"
            self.wrong(f"not a date: {self._values[name]!r}", cure, field=name)
        return None

    def validity(self) -> tuple[datetime | None, datetime | None]:
        """From when until when the article holds."""
        start, end = self.moment("valid_from"), self.moment("valid_until", end_of_day=True)
        if start and end and end <= start:
            self.wrong("ends before it starts", "Make it later than valid_from", field="valid_until")
        return start, end

    def language(self, sample: str) -> str | None:
        """The language named, or the one that `sample` is in."""
        named = self.text("language")
        if named is None and (found := detect(sample)) != UNDETERMINED:
            return found
        if named is None or not named.isascii() or not named.split("-")[0].isalpha():
            self.wrong(
                "can't tell the language", "Name it, as in 'language: en' or 'language: zh'", field="language"
            )
            return None
        return named.split("-")[0].lower()


def _parsed(value: str) -> date | None:
    for parse in (date.fromisoformat, datetime.fromisoformat):
        try:
            return parse(value.strip())
        except ValueError:
            continue
    return None
