"""make bench: every figure in one run, printed and written to `.bench/results.json`."""

import json
from pathlib import Path

from rich.console import Console

from tests.benchmarks import ingest, pipeline, replies

RESULTS = Path(".bench/results.json")


def main() -> None:
    """Measure, print, write."""
    out = Console()
    results: dict[str, float] = {}
    with out.status("accepting webhooks, against an empty Litestar handler"):
        results |= ingest.measure()
    with out.status("working the lanes with one worker process"):
        results["pipeline_events_per_s"] = round(pipeline.measure())
    with out.status(f"answering {replies.PER_SECOND} customers a second"):
        (waits,) = replies.measure()
    results |= dict(zip(("reply_p50_ms", "reply_p95_ms", "reply_p99_ms"), waits, strict=True))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, value in results.items():
        out.print(f"{name:24} {value}", highlight=False)
    out.print(f"written to {RESULTS}", highlight=False)


if __name__ == "__main__":
    main()
