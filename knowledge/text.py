"""From Markdown or HTML to plain text and its pieces. Nothing active survives."""

import html
import re
from html.parser import HTMLParser

import msgspec
import nh3
from markdown_it import MarkdownIt

from knowledge.spans import packed

PASSAGE_CHARS = 800

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _HEADINGS | {"p", "li", "pre", "td", "th", "tr", "div", "blockquote"}
_KEPT = _BLOCKS | {"ul", "ol", "br", "a", "code", "table", "thead", "tbody"}
_HAN_JOIN = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")
_BREAK = "\x1f"


class Piece(msgspec.Struct, frozen=True):
    """A retrievable part of a body: `body[start:end]`."""

    start: int
    end: int
    heading: str | None = None
    question: str | None = None


class _Blocks(HTMLParser):
    """Collects `(is heading, text)` from clean HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[bool, str]] = []
        self._text = ""
        self._lists: list[int | None] = []
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS | {"ul", "ol"}:
            self._close(heading=False)
        match tag:
            case "ul":
                self._lists.append(None)
            case "ol":
                self._lists.append(0)
            case "li":
                self._text = self._bullet()
            case "br":
                self._text += _BREAK
            case "a":
                self._link = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        if tag == "a" and self._link and not self._text.endswith(self._link):
            self._text += f" ({self._link})"
        if tag in _BLOCKS:
            self._close(heading=tag in _HEADINGS)

    def handle_data(self, data: str) -> None:
        self._text += data

    def close(self) -> None:
        super().close()
        self._close(heading=False)

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def _close(self, *, heading: bool) -> None:
        joined = " ".join(_HAN_JOIN.sub("", self._text).split(" "))
        lines = (" ".join(line.split()) for line in joined.split(_BREAK))
        text = "\n".join(lines).strip()
        bare_bullet = re.fullmatch(r"-|\d+\.", text) is not None
        if text and not bare_bullet:
            self.blocks.append((heading, text))
        self._text = f"{text} " if bare_bullet else ""


def plain(text: str) -> str:
    """`text` without HTML; line breaks stay."""
    return html.unescape(nh3.clean(text, tags=set())).strip()


def read_markdown(source: str) -> tuple[str, tuple[Piece, ...]]:
    """The plain body of a Markdown text, and its pieces: at most a section, at most `PASSAGE_CHARS`."""
    rendered = MarkdownIt("commonmark").enable("table").render(source)
    clean = nh3.clean(rendered, tags=set(_KEPT), attributes={"a": {"href"}}, link_rel=None)
    parser = _Blocks()
    parser.feed(clean)
    parser.close()
    body, sections = _joined(parser.blocks)
    pieces = (
        Piece(*span, heading)
        for start, end, heading in sections
        for span in packed(body, (start, end), limit=PASSAGE_CHARS)
    )
    return body, tuple(pieces)


def _joined(blocks: list[tuple[bool, str]]) -> tuple[str, list[tuple[int, int, str | None]]]:
    body = ""
    sections: list[tuple[int, int, str | None]] = []
    heading: str | None = None
    for is_heading, text in blocks:
        start = len(body) + 2 if body else 0
        body = f"{body}\n\n{text}" if body else text
        if is_heading:
            heading = text
        elif sections and sections[-1][2] == heading and body[sections[-1][1] : start].isspace():
            sections[-1] = (sections[-1][0], len(body), heading)
        else:
            sections.append((start, len(body), heading))
    return body, sections
