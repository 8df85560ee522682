"""Answers from the private knowledge: extractive, cited, and silent when nothing fits."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge import store
from knowledge.confidence import confidence
from knowledge.index import KnowledgeIndex
from knowledge.language import UNDETERMINED, detect
from knowledge.lookup import Finding, each_matter, look_up, most_certain
from knowledge.retrieval import Hit, LanguageIndex
from knowledge.smalltalk import SmallTalk, recognise, reply
from knowledge.spans import best_span
from knowledge.tokens import content


class AnswerKind(StrEnum):
    """What an answer is."""

    ANSWER = "answer"
    GREETING = "greeting"
    THANKS = "thanks"
    FAREWELL = "farewell"
    NOTHING = "nothing"


class Failure(StrEnum):
    """Why there is no answer."""

    NOTHING_FOUND = "nothing_found"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer wants to know: one burst, oldest message first, and what they wrote before it."""

    texts: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    language: str | None = None
    channel: str = "other"


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """The exact span an answer rests on: `revision.body[start:end] == quote`."""

    article_id: str
    article_title: str
    revision_number: int
    revision_ref: int
    passage_ref: int
    start: int
    end: int
    quote: str
    url: str | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that was considered, for the trace."""

    article_id: str
    article_title: str
    revision_ref: int
    passage_ref: int
    score: float
    confidence: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the knowledge says, or why it says nothing; `text` is None exactly when `failure` is set."""

    kind: AnswerKind
    text: str | None
    confidence: float
    language: str
    citations: tuple[Citation, ...] = ()
    failure: Failure | None = None
    candidates: tuple[Candidate, ...] = ()


class Answerer:
    """Answers questions from an index, and checks with the database that what it cites still holds."""

    def __init__(self, index: KnowledgeIndex, engine: AsyncEngine, *, threshold: float = 0.5) -> None:
        self._index = index
        self._engine = engine
        self._threshold = threshold

    async def answer(self, question: Question, *, now: datetime) -> Answer:
        """The best answer that is valid at `now`; below the threshold, `nothing_found`.

        The index may be older than the database: a passage is only served if its revision is at this moment
        what its article says.
        """
        language = _language_of(question)
        if talk := _small_talk(question.texts):
            return Answer(
                kind=AnswerKind(talk.value), text=reply(talk, language), confidence=1.0, language=language
            )
        index = self._index.language(language)
        findings = look_up(question.texts, question.earlier, index, now=now) if index else []
        if index is None or not findings:
            return _nothing(language)
        served = await self._still_served(findings, now=now)
        return self._best(served, question.texts, index, language)

    async def _still_served(self, findings: Sequence[Finding], *, now: datetime) -> list[Finding]:
        refs = {hit.revision.ref for finding in findings for hit in finding.hits}
        async with self._engine.connect() as connection:
            served = await store.load_served(connection, refs, now=now)
        return [finding.only(served) for finding in findings]

    def _best(
        self, findings: Sequence[Finding], texts: Sequence[str], index: LanguageIndex, language: str
    ) -> Answer:
        finding = most_certain(findings, threshold=self._threshold)
        if finding.confidence < self._threshold:
            return _nothing(language, finding)
        matters = each_matter(findings, texts, threshold=self._threshold)
        citations = tuple(_cite(each.hits[0], frozenset(content(each.query)), index) for each in matters)
        return Answer(
            kind=AnswerKind.ANSWER,
            text="\n\n".join(citation.quote for citation in citations),
            confidence=min(each.confidence for each in matters),
            language=language,
            citations=citations,
            candidates=_candidates(finding),
        )


def _language_of(question: Question) -> str:
    if question.language:
        return question.language.split("-")[0].lower()
    found = detect(" ".join(question.texts))
    return detect(" ".join(question.earlier)) if found == UNDETERMINED else found


def _small_talk(texts: Sequence[str]) -> SmallTalk | None:
    kinds = [recognise(text) for text in texts]
    return kinds[-1] if kinds and None not in kinds else None


def _nothing(language: str, finding: Finding | None = None) -> Answer:
    return Answer(
        kind=AnswerKind.NOTHING,
        text=None,
        confidence=finding.confidence if finding else 0.0,
        language=language,
        failure=Failure.NOTHING_FOUND,
        candidates=_candidates(finding) if finding else (),
    )


def _cite(hit: Hit, question: frozenset[str], index: LanguageIndex) -> Citation:
    revision, passage = hit.revision, hit.passage
    start, end = (0, len(passage.text))
    if not revision.is_question_answer:
        start, end = best_span(passage.text, question, index.rarity)
    return Citation(
        article_id=revision.article_id,
        article_title=revision.title,
        revision_number=revision.number,
        revision_ref=revision.ref,
        passage_ref=passage.ref,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
        url=revision.url,
    )


def _candidates(finding: Finding) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            article_id=hit.revision.article_id,
            article_title=hit.revision.title,
            revision_ref=hit.revision.ref,
            passage_ref=hit.passage.ref,
            score=hit.merit,
            confidence=finding.weight * confidence(hit),
        )
        for hit in finding.hits
    )
