"""The files that articles come in: Markdown with front matter, CSV and JSON Lines."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import msgspec
import yaml

from knowledge.drafts import Draft, Fields, Problem
from knowledge.text import Piece, plain, read_markdown

Read = tuple[list[Draft], list[Problem]]

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMON = frozenset({"id", "language", "title", "url", "valid_from", "valid_until", "tags"})
_MARKDOWN = _COMMON | {"questions"}
_PAIR = _COMMON | {"question", "answer", "questions"}


def read_path(path: Path) -> Read:
    """Every article in a file, or in all files below a directory, and everything wrong with them."""
    if not path.exists():
        return [], [Problem(str(path), "", "no such file or directory", "Check the path")]
    root = path if path.is_dir() else path.parent
    files = sorted(_visible(path)) if path.is_dir() else [path]
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        found, wrong = _read_file(file, file.relative_to(root).as_posix())
        drafts += found
        problems += wrong
    if not drafts and not problems:
        problems.append(Problem(str(path), "", "no articles found", f"Put {_names(READERS)} files there"))
    return drafts, problems + _doubles(drafts)


def _visible(directory: Path) -> Iterator[Path]:
    for file in directory.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(directory).parts)
        if file.suffix.lower() in READERS and file.is_file() and not hidden:
            yield file


def _names(readers: Mapping[str, object]) -> str:
    return ", ".join(sorted(readers))


def _read_file(file: Path, source: str) -> Read:
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        return [], [
            Problem(source, "", f"can't read {file.suffix or 'such'} files", f"Use {_names(READERS)}")
        ]
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Problem(source, f"byte {error.start}", "not UTF-8", "Save the file as UTF-8")]
    except OSError as error:
        return [], [Problem(source, "", f"can't be read: {error.strerror}", "Check the file's permissions")]
    if "\x00" in text:
        return [], [Problem(source, "", "contains a zero byte", "Save the file as plain text")]
    return reader(text.replace("\r\n", "\n"), source)


def _doubles(drafts: list[Draft]) -> list[Problem]:
    first: dict[str, str] = {}
    problems: list[Problem] = []
    for draft in drafts:
        if draft.id in first:
            what = f"the id {draft.id!r} is already used in {first[draft.id]}"
            problems.append(Problem(draft.source, "field 'id'", what, "Give each article an id of its own"))
        first.setdefault(draft.id, draft.source)
    return problems


def _slug(source: str) -> str:
    return PurePath(source).with_suffix("").as_posix().replace(" ", "-").lower()


def _read_markdown_file(text: str, source: str) -> Read:
    header = _FRONT_MATTER.match(text)
    try:
        values = yaml.safe_load(header[1]) if header else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 2}" if mark else "front matter"
        what = f"the front matter is no YAML: {getattr(error, 'problem', None) or error}"
        return [], [Problem(source, where, what, "Put texts with punctuation in quotes")]
    if not isinstance(values, dict | None):
        cure = "Write 'name: value' lines between the two --- lines"
        return [], [Problem(source, "line 2", "the front matter has no fields", cure)]
    fields = Fields({str(key): value for key, value in (values or {}).items()}, source=source)
    fields.only(_MARKDOWN)
    body, pieces = read_markdown(text[header.end() :] if header else text)
    if not pieces:
        fields.wrong("the article has no text", "Write its text below the front matter")
    title = fields.text("title") or (pieces[0].heading if pieces else None) or PurePath(source).stem
    return _finished(
        fields, fields.texts("questions"), title, text=(body, pieces), source=source, fallback=_slug(source)
    )


def _read_pair(values: Mapping[str, Any], source: str, where: str) -> Read:
    fields = Fields(values, source=source, where=where)
    fields.only(_PAIR)
    question = fields.text("question", required=True)
    answer = fields.text("answer", required=True)
    body = plain(answer or "")
    if answer and not body:
        fields.wrong("nothing is left without the HTML", "Write the answer as text", field="answer")
    if not question or not body:
        return [], fields.problems
    questions = (plain(question), *fields.texts("questions"))
    mark = hashlib.sha256(questions[0].casefold().encode()).hexdigest()[:10]
    title = fields.text("title") or questions[0]
    piece = Piece(0, len(body), question=questions[0])
    return _finished(
        fields, questions, title, text=(body, (piece,)), source=source, fallback=f"{_slug(source)}/{mark}"
    )


def _finished(
    fields: Fields,
    questions: tuple[str, ...],
    title: str,
    *,
    text: tuple[str, tuple[Piece, ...]],
    source: str,
    fallback: str,
) -> Read:
    body, pieces = text
    start, end = fields.validity()
    language = fields.language(" ".join((*questions, body)))
    draft = Draft(
        id=fields.text("id") or fallback,
        language=language or "",
        title=plain(title),
        body=body,
        source=source,
        pieces=pieces,
        questions=tuple(plain(question) for question in questions if question),
        tags=fields.texts("tags"),
        url=_web_address(fields),
        valid_from=start,
        valid_until=end,
    )
    return ([], fields.problems) if fields.problems else ([draft], [])


def _web_address(fields: Fields) -> str | None:
    url = fields.text("url")
    if url and not re.match(r"https?://\S+\Z", url):
        fields.wrong("no web address", "Begin it with https://", field="url")
    return url


def _all(pairs: Iterator[Read]) -> Read:
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for found, wrong in pairs:
        drafts += found
        problems += wrong
    return drafts, problems


def _read_csv_file(text: str, source: str) -> Read:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    if not {"question", "answer"} <= set(names):
        cure = "Name the columns in the first line, with 'question' and 'answer' among them"
        return [], [Problem(source, "line 1", "the columns question and answer are missing", cure)]
    rows.fieldnames = names
    return _all(_csv_pairs(rows, source))


def _csv_pairs(rows: "csv.DictReader[str]", source: str) -> Iterator[Read]:
    try:
        for row in rows:
            where = f"line {rows.line_num}"
            if None in row or None in row.values():
                cure = "Put values that contain a comma or a line break in double quotes"
                yield [], [Problem(source, where, "not as many values as there are columns", cure)]
            elif any(row.values()):
                yield _read_pair(_with_lists(row), source, where)
    except csv.Error as error:
        yield (
            [],
            [Problem(source, f"line {rows.reader.line_num}", f"no CSV: {error}", "Check the double quotes")],
        )


def _with_lists(row: Mapping[str, str]) -> dict[str, Any]:
    lists = {
        name: [item.strip() for item in row[name].split("|")]
        for name in ("tags", "questions")
        if row.get(name)
    }
    return {**row, **lists}


def _read_jsonl_file(text: str, source: str) -> Read:
    return _all(
        _json_pair(line, source, f"line {number}")
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    )


def _json_pair(line: str, source: str, where: str) -> Read:
    try:
        values = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        cure = 'Write one JSON object per line, as in {"question": "…", "answer": "…"}'
        return [], [Problem(source, where, f"no JSON object: {error}", cure)]
    return _read_pair(values, source, where)


READERS: Mapping[str, Callable[[str, str], Read]] = {
    ".md": _read_markdown_file,
    ".markdown": _read_markdown_file,
    ".csv": _read_csv_file,
    ".jsonl": _read_jsonl_file,
}
