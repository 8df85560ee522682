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
    ]
    sink: Any = _Sink(to)
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    chosen = structlog.make_filtering_bound_logger(number)
    if human:
        plain = structlog.dev.plain_traceback  # the fancy one shows variables, and secrets among them
        rendered: list[structlog.typing.Processor] = [
            structlog.dev.ConsoleRenderer(exception_formatter=plain)
        ]
        factory: Any = structlog.PrintLoggerFactory(sys.stderr)
    else:
        rendered = [structlog.processors.format_exc_info, _render]
        factory = structlog.BytesLoggerFactory(sink)
    structlog.configure(processors=[*shared, *rendered], wrapper_class=chosen, logger_factory=factory)
    _take_in_libraries(
        max(number, logging.WARNING), sink, [structlog.stdlib.add_logger_name, *shared], rendered
    )


def _take_in_libraries(
    at_least: int,
    sink: Any,
    prepared: list[structlog.typing.Processor],
    rendered: list[structlog.typing.Processor],
) -> None:
    """Have what libraries tell the standard library's way come out as our own lines do."""
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(codecs.getwriter("utf-8")(sink))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=prepared, processors=[meta, *rendered[:-1], _as_text(rendered[-1])]
        )
    )
    handler.setLevel(at_least)  # some libraries set a level of their own (bm25s: DEBUG)
    logging.basicConfig(level=at_least, handlers=[handler], force=True)


def _as_text(render: structlog.typing.Processor) -> structlog.typing.Processor:
    def text(logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        line = render(logger, method, event)
        return line.decode() if isinstance(line, bytes) else str(line)

    return text
