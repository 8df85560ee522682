"""The AI as a participant: a question goes out as a command, its answer comes back as an event."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from adapters.model import AnswerPrepared
from config.clock import Clock
from config.settings import AnswerSettings
from gateway.scene import Answering
from knowledge.answers import Answer, Question

log = structlog.get_logger()
AnswerFunction = Callable[[Question], Awaitable[Answer]]


async def prepare(
    answer: AnswerFunction, asked: Answering, settings: AnswerSettings, clock: Clock
) -> AnswerPrepared:
    """Ask within the time limit. Whatever goes wrong becomes a failed answer: a turn always ends."""
    question = Question(
        texts=asked.texts, earlier=asked.earlier, language=asked.language, channel=asked.channel
    )
    try:
        async with asyncio.timeout(settings.time_limit.total_seconds()):
            given = await answer(question)
    except TimeoutError:
        return _failed(asked, "timed_out", clock)
    except Exception as error:
        log.exception("answer_failed", conversation=asked.conversation_id, error=repr(error))
        return _failed(asked, "failed", clock)
    return AnswerPrepared(
        conversation_id=asked.conversation_id,
        turn=asked.turn,
        generation=asked.generation,
        occurred_at=clock(),
        text=given.text,
        confidence=given.confidence,
        language=given.language,
        citations=tuple(msgspec.to_builtins(given.citations)),
        failure=given.failure.value if given.failure else None,
    )


def _failed(asked: Answering, failure: str, clock: Clock) -> AnswerPrepared:
    return AnswerPrepared(
        conversation_id=asked.conversation_id,
        turn=asked.turn,
        generation=asked.generation,
        occurred_at=clock(),
        text=None,
        confidence=0.0,
        language=asked.language or "und",
        failure=failure,
    )
