"""make bench: every figure in one run, printed and written to `.bench/results.json`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.benchmarks import backfill, export, flatness, ingest, pipeline, replies

RESULTS = Path(".bench/results.json")


STEPS: tuple[tuple[str, Callable[[], dict[str, float]]], ...] = (
    ("accepting webhooks, against an empty Litestar handler", ingest.measure),
    (
        "working the lanes with one worker process",
        lambda: {"pipeline_events_per_s": round(pipeline.measure())},
    ),
    ("and with two", lambda: {"pipeline_events_per_s_2w": round(pipeline.measure(2))}),
    ("answering 17 customers a second, then 170", replies.measure),
    ("beside ten thousand, a hundred thousand, a million stored conversations", flatness.measure),
    ("exporting a million messages", export.measure),
    ("answering 17 customers a second beside a backfill of 100,000 conversations", backfill.measure),
)


def main() -> None:
    """Measure, print, write; a step that fails is said so, and the others go on."""
    out = Console()
    results: dict[str, float] = {}
    failed = False
    for what, measure in STEPS:
        try:
            with out.status(what):
                figures = measure()
        except Exception as error:  # noqa: BLE001 - the other figures are worth having
            out.print(f"{what}: {error!r}", highlight=False)
            failed = True
            continue
        results |= figures
        for name, value in figures.items():
            out.print(f"{name:28} {value}", highlight=False)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    out.print(f"written to {RESULTS}", highlight=False)
    sys.exit(failed)


if __name__ == "__main__":
    main()
