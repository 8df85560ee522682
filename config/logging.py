"""Structured logs: one JSON object a line, with whatever context is bound."""

import codecs
import logging
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec
import structlog


def _render(_logger: Any, _method: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


class _Sink:
    """Where lines go, looked up for each; a log that can't be written must not stop the work it tells of."""

    def __init__(self, to: BinaryIO | None) -> None:
        self._to = to

    def write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            (self._to or sys.stderr.buffer).write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            (self._to or sys.stderr.buffer).flush()


def configure_logging(level: str = "INFO", *, human: bool = False, to: BinaryIO | None = None) -> None:
    """Send logs to standard error, or `to` a file: as JSON, or coloured for people."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    sink: Any = _Sink(to)
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    if human:
        structlog.configure(
            processors=[*shared, structlog.dev.ConsoleRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(number),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    else:
        structlog.configure(
            processors=[*shared, _render],
            wrapper_class=structlog.make_filtering_bound_logger(number),
            logger_factory=structlog.BytesLoggerFactory(sink),
        )
    stream = codecs.getwriter("utf-8")(sink)
    at_least = max(number, logging.WARNING)
    logging.basicConfig(level=at_least, stream=stream, force=True)
    for handler in logging.getLogger().handlers:
        handler.setLevel(at_least)  # some libraries set a level of their own (bm25s: DEBUG)
