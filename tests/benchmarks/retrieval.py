"""Measure retrieval and answering: `python -m tests.benchmarks.retrieval` from the project's root.

The demo knowledge base is measured on our own questions (`dev` was tuned on, `heldout` was not);
ranking on public sets, read from `$DESKBRIDGE_REFERENCE` (default `../shared`) and skipped where they are
absent. Tuning may look at development sets only, so that is what is read here.
"""

import csv
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from knowledge.drafts import Draft
from knowledge.evaluation import Labelled, figures, judge
from knowledge.formats import read_path
from knowledge.index import Snapshot, build
from knowledge.retrieval import IndexedPassage, IndexedRevision, LanguageIndex

ROOT = Path(__file__).parents[2]
QUESTIONS = ROOT / "tests" / "knowledge" / "questions"
DATA = Path(os.environ.get("DESKBRIDGE_REFERENCE", ROOT.parent / "shared")) / "data"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
THRESHOLD = 0.5


def indexed(drafts: Iterable[Draft]) -> list[IndexedRevision]:
    """Drafts as the index takes them, without a database."""
    return [
        IndexedRevision(
            ref=number,
            number=1,
            article_id=draft.id,
            title=draft.title,
            language=draft.language,
            url=draft.url,
            questions=draft.questions,
            passages=tuple(
                IndexedPassage(
                    number * 100 + position,
                    piece.start,
                    piece.end,
                    draft.body[piece.start : piece.end],
                    piece.heading,
                )
                for position, piece in enumerate(draft.pieces)
            ),
            served_from=draft.valid_from,
            served_until=draft.valid_until,
        )
        for number, draft in enumerate(drafts)
    ]


def demo() -> Snapshot:
    """The demo knowledge base."""
    drafts, problems = read_path(ROOT / "config" / "knowledge")
    assert not problems, problems
    return build(indexed(drafts))


def questions(name: str) -> list[Labelled]:
    """Our labelled questions; an article's short name stands for it in every language."""
    lines = (QUESTIONS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return [
        Labelled(text, frozenset(f"{lang}/{short}" for short in right.split("|") for lang in ("en", "zh")))
        if right != "-"
        else Labelled(text, frozenset())
        for text, right in rows
    ]


def plain_index(documents: Iterable[tuple[str, str, str]]) -> LanguageIndex:
    """An index over `(id, title, text)`."""
    return LanguageIndex(
        [
            IndexedRevision(
                ref=number,
                number=1,
                article_id=id_,
                title=title,
                language="en",
                url=None,
                questions=(),
                passages=(IndexedPassage(number, 0, len(text), text),),
            )
            for number, (id_, title, text) in enumerate(documents)
        ]
    )


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines(keepends=True)


def _average_precision(ranked: Sequence[str], right: set[str]) -> float:
    ranks = [rank for rank, id_ in enumerate(ranked, start=1) if id_ in right]
    return sum(hit / rank for hit, rank in enumerate(ranks, start=1)) / len(right)


def stackfaq(folder: Path) -> Mapping[str, float]:
    """Ranking by BM25 alone, as it is published, over question and answer."""
    corpus = [json.loads(line) for line in _lines(folder / "corpus.jsonl")]
    index = plain_index((each["_id"], each["title"], each["text"]) for each in corpus)
    right: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader(_lines(folder / "qrels.tsv"), delimiter="\t"):
        if int(row["score"]) > 0:
            right[row["query-id"]].add(row["corpus-id"])
    precisions, firsts = [], []
    for line in _lines(folder / "queries.jsonl"):
        query = json.loads(line)
        if query["_id"] in right:
            ranked = [revision.article_id for revision in index.ranking(query["text"], now=NOW)]
            precisions.append(_average_precision(ranked, right[query["_id"]]))
            firsts.append(sum(id_ in right[query["_id"]] for id_ in ranked[:5]) / 5)
    return {"MAP": float(np.mean(precisions)), "P@5": float(np.mean(firsts))}


def product_questions(file: Path, delimiter: str, best: str) -> Mapping[str, float]:
    """Which of a product question's own candidates comes first; of questions with a right one."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(_lines(file), delimiter=delimiter):
        groups[row["qid"]].append(row)
    answerable = {qid: rows for qid, rows in groups.items() if any(row["label"] == best for row in rows)}
    index = plain_index(
        (f"{qid} {row['label']}", "", row["candidate"]) for qid, rows in groups.items() for row in rows
    )
    first = [_first(index, qid, rows[0]["question"]) == best for qid, rows in answerable.items()]
    return {"P@1": sum(first) / len(first)}


def _first(index: LanguageIndex, qid: str, question: str) -> str | None:
    own = (revision.article_id.split() for revision in index.ranking(question, now=NOW))
    return next((label for owner, label in own if owner == qid), None)


def unanswerable(file: Path, snapshot: Snapshot) -> Mapping[str, float]:
    """How many questions of another world the demo knowledge leaves alone."""
    asked = [
        Labelled(text, frozenset()) for text, _ in json.loads(file.read_text(encoding="utf-8"))["oos_val"]
    ]
    return {"refused": figures(judge(snapshot, asked, now=NOW), threshold=THRESHOLD).refused}


def synthetic(count: int) -> Iterator[IndexedRevision]:
    """As many passages as asked for: the demo's, each with numbers and words of its own."""
    drafts, _ = read_path(ROOT / "config" / "knowledge")
    base = indexed(drafts)
    for number in range(count):
        like = base[number % len(base)]
        mark = f"model{number % 977} series{number % 89}"
        text = f"{like.passages[0].text} {mark}"
        yield IndexedRevision(
            ref=number,
            number=1,
            article_id=f"{like.article_id}-{number}",
            title=f"{like.title} {mark}",
            language=like.language,
            url=None,
            questions=tuple(f"{question} {mark}" for question in like.questions),
            passages=(IndexedPassage(number, 0, len(text), text),),
        )


def speed(count: int = 10_000) -> Mapping[str, float]:
    """Seconds to build an index of `count` passages of one language, and a query's milliseconds."""
    revisions = [revision for revision in synthetic(2 * count) if revision.language == "zh"][:count]
    begun = time.perf_counter()
    index = build(revisions)["zh"]
    built = time.perf_counter() - begun
    asked = [question.text for question in questions("dev")]
    took = []
    for text in asked * 3:
        begun = time.perf_counter()
        index.search(text, now=NOW)
        took.append((time.perf_counter() - begun) * 1000)
    return {
        "passages": float(len(revisions)),
        "build_s": built,
        "query_p50_ms": float(np.percentile(took, 50)),
        "query_p95_ms": float(np.percentile(took, 95)),
    }


def report(console: Console) -> None:
    """Print every figure that can be had here."""
    snapshot = demo()
    for name in ("dev", "heldout"):
        measured = figures(judge(snapshot, questions(name), now=NOW), threshold=THRESHOLD)
        _line(console, f"demo, {name}", msgspec.structs.asdict(measured))
    _line(console, "speed", speed())
    sets = {
        "stackfaq (BM25 published: MAP .6366, P@5 .5284)": lambda: stackfaq(DATA / "stackfaq"),
        "semipqa dev (plain BM25: .699)": lambda: product_questions(DATA / "semipqa" / "dev.csv", "\t", "1"),
        "epqa dev (plain BM25: .644)": lambda: product_questions(DATA / "epqa" / "dev.csv", ",", "2"),
        "clinc150 oos, validation": lambda: unanswerable(DATA / "clinc150" / "data_full.json", snapshot),
    }
    for name, measure in sets.items():
        try:
            _line(console, name, measure())
        except FileNotFoundError as error:
            console.print(f"{name}: skipped, {error.filename} is absent (set DESKBRIDGE_REFERENCE)")


def _line(console: Console, name: str, measured: Mapping[str, float]) -> None:
    shown = "  ".join(f"{key} {value:.4g}" for key, value in measured.items())
    console.print(f"{name}: {shown}", highlight=False)


if __name__ == "__main__":
    report(Console(width=200))
