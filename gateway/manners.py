"""What is fit to be said on a channel: nothing personal in public, nothing too long. Pure."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from gateway.export.redaction import EMAIL_ADDRESS, PHONE_NUMBER

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'，。！？；、（）《》「」]+", re.IGNORECASE)
_NUMBER = re.compile(r"[A-Za-z0-9]*\d(?:[A-Za-z0-9]|[.,:/_-](?=[A-Za-z0-9]))*")
_LABELLED = re.compile(
    r"(?:order|tracking|parcel|waybill|shipment|invoice|订单|訂單|单号|單號|运单|運單|快递|快遞)"
    r"\W{0,3}(?:number|no|id|编号|編號|号码?|號碼?)?\W{0,3}(?:is|是|为|為)?\W{0,3}"
    r"(?P<number>[A-Z0-9-]*\d[A-Z0-9-]{3,})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?=(?:[A-Z-]*\d){8})[A-Z0-9-]{9,}(?![A-Za-z0-9])")
_STREET = re.compile(
    r"[\u4e00-\u9fff]{2,}(?:路|街|巷|弄|大道)\s?\d+\s?(?:号|號|弄)"
    r"|\b\d{1,5}[A-Za-z]? (?:[A-Z][a-z]+ ){1,3}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Boulevard|Blvd)\b"
)
_CJK = r"\u3040-\u30ff\u3400-\u9fff"
_SENTENCE_END = re.compile(r"[。！？!?…]+[”’」』）)\"']*|\.[”’)\"']*(?=\s)|\n+")
_CLAUSE_END = re.compile(r"[，；、：]|[,;:](?=\s)")
_SPACE = re.compile(rf"\s+|(?<=[{_CJK}])(?=[{_CJK}])")
_NUMBERED = "(9/9) "
MOST_FLATTENED = 200


def personal(
    text: str, *, known: Collection[str] = (), ours: Iterable[str] = (), cited: str = ""
) -> tuple[str, ...]:
    """What kinds of personal data a text holds, in words; empty when none.

    `known` is what the customer's record holds; `ours` are patterns of the shop's own addresses, as are those
    that stand in what is `cited` from its articles.
    """
    plain = unicodedata.normalize("NFKC", text)
    own, told = [_bare(pattern) for pattern in ours], _bare(cited)
    unlinked = _URL.sub(lambda found: " " + found[0].partition("?")[2], plain)
    found = {
        "an e-mail address": [each[0] for each in EMAIL_ADDRESS.finditer(plain)],
        "a phone number": [each[0] for each in PHONE_NUMBER.finditer(unlinked)],
        "an order or tracking number": [
            *(each["number"] for each in _LABELLED.finditer(unlinked)),
            *(each[0] for each in _LONG_NUMBER.finditer(unlinked)),
        ],
        "a street address": [each[0] for each in _STREET.finditer(plain)],
    }
    kinds = [
        kind
        for kind, hits in found.items()
        if not all(_bare(hit) in told or any(fnmatchcase(_bare(hit), each) for each in own) for hit in hits)
    ]
    theirs = any(_says(plain, value) for value in known)
    return (*kinds, "what the customer's record holds") if theirs else tuple(kinds)


def _bare(text: str) -> str:
    return re.sub(r"[\s().+-]", "", unicodedata.normalize("NFKC", text).casefold())


def _says(text: str, value: str) -> bool:
    plain = unicodedata.normalize("NFKC", value).casefold().strip()
    start = text.casefold().find(plain)
    while plain and start >= 0:
        before, after = text[:start][-1:], text.casefold()[start + len(plain) :][:1]
        if not (_joins(before, plain[0]) or _joins(plain[-1], after)):
            return True
        start = text.casefold().find(plain, start + 1)
    return False


def _joins(left: str, right: str) -> bool:
    """Whether two neighbours are of one Latin word or number."""
    return all(each.isascii() and each.isalnum() for each in (left, right))


def telling(name: str, addresses: Iterable[str], attributes: dict[str, Any]) -> frozenset[str]:
    """What of a customer's record would tell who they are; short or single everyday words wouldn't."""
    values = [*addresses, *_flat(attributes)]
    names = [name] if " " in name.strip() or re.search(f"[{_CJK}]{{2}}", name) else []
    return frozenset(value for value in [*names, *filter(_tells, values)] if value.strip())


def _tells(value: str) -> bool:
    if any(each.isdigit() for each in value):
        return len(value) >= 4  # noqa: PLR2004 - a year, a house number: shorter ones are everywhere
    return len(value) >= (3 if re.search(f"[{_CJK}]", value) else 6)


def _flat(value: Any) -> Iterator[str]:
    match value:
        case bool() | None:
            return
        case dict():
            for item in list(value.values())[:MOST_FLATTENED]:
                yield from _flat(item)
        case list() | tuple():
            for item in value[:MOST_FLATTENED]:
                yield from _flat(item)
        case _:
            yield str(value)


def fit(text: str, *, longest: int | None, most_parts: int, ending: str) -> tuple[list[str], bool]:
    """A text as messages of at most `longest` characters, and whether all of it is said.

    More than two are numbered. What doesn't fit into `most_parts` is left out, and the last says `ending`.
    """
    if longest is None or len(text) <= longest:
        return [text], True
    parts, rest = split(text, longest)
    if len(parts) > 2 and most_parts > 2:  # noqa: PLR2004 - of two, nobody asks which is which
        longest -= len(_NUMBERED)
        parts, rest = split(text, longest)
    whole = not rest and len(parts) <= most_parts
    if not whole:
        parts = [*parts[: most_parts - 1], _ended(parts[most_parts - 1 : most_parts], ending, longest)]
    if len(parts) > 2:  # noqa: PLR2004 - as above
        parts = [f"({number}/{len(parts)}) {part}" for number, part in enumerate(parts, 1)]
    return parts, whole


def _ended(last: list[str], ending: str, longest: int) -> str:
    room = longest - len(ending) - 1
    begun = split(last[0], room)[0][:1] if last and room > 0 else []
    return "\n".join([*begun, split(ending, longest)[0][0]]) if ending else "".join(begun)


def split(text: str, longest: int) -> tuple[list[str], str]:
    """The parts of a text, none longer than `longest`, and what can't be split: it begins with a long link.

    Between sentences if that leaves no scrap, else between clauses, words, or at worst letters; never within
    a link, a number, or what is seen as one character.
    """
    parts: list[str] = []
    text = text.strip()
    while len(text) > longest:
        cut = _cut(text, longest)
        if cut is None:
            return parts, text
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return ([*parts, text] if text else parts), ""


def _cut(text: str, longest: int) -> int | None:
    """Where to end the first part; `None` if what it begins with is too long and can't be cut."""
    head = text[: longest + 1]
    barred = {
        at
        for pattern in (_URL, EMAIL_ADDRESS, _NUMBER)
        for found in pattern.finditer(text)
        if found.start() <= longest
        for at in range(found.start() + 1, min(found.end(), longest + 1))
    }
    free = {at for at in range(1, longest + 1) if at not in barred and not _one_character(text, at)}
    for border in (_SENTENCE_END, _CLAUSE_END, _SPACE):
        cuts = [end for found in border.finditer(head) if (end := found.end()) in free]
        if cuts and max(cuts) > longest // 3:
            return max(cuts)
    return max(free, default=None)


def _one_character(text: str, at: int) -> bool:
    """Whether the letters on both sides of a position are seen as one (UAX 29, what chats hold of it)."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after) in {"Mn", "Me", "Mc"} or _modifies(after):
        return True
    if "\u200d" in {before, after} or (before, after) == ("\r", "\n"):
        return True
    if _is_flag(before) and _is_flag(after):
        run = len(text[:at]) - len(text[:at].rstrip("".join(map(chr, range(0x1F1E6, 0x1F200)))))
        return run % 2 == 1
    return _is_jamo(before) and _is_jamo(after)


def _modifies(letter: str) -> bool:
    return "\U0001f3fb" <= letter <= "\U0001f3ff" or "\U000e0020" <= letter <= "\U000e007f"


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _is_jamo(letter: str) -> bool:
    return "\u1100" <= letter <= "\u11ff" or "\uac00" <= letter <= "\ud7fb"


def not_before(spoken: Iterable[datetime], every: timedelta, now: datetime) -> datetime:
    """When one may speak next, if one speaks only so often."""
    latest = max(spoken, default=None)
    return now if latest is None else max(now, latest + every)
