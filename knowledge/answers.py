"""Answers from the private knowledge: extractive, cited, and silent when nothing fits."""

from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge.index import KnowledgeIndex


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
        """The best answer that is valid at `now`; below the threshold, `nothing_found`."""
        raise NotImplementedError
