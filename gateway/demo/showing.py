"""Showing progress and the report on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.demo.report import Report


def progress(console: Console) -> Progress:
    """A bar of customers served, with a line for each below it."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def show_report(console: Console, report: Report) -> None:
    """The report as tables, then what was not as expected."""
    console.print()
    console.print(
        _table(
            "Who wrote",
            {
                "customers": f"{report.customers} ({_listed(report.languages)})",
                "conversations": f"{report.conversations} ({_listed(report.channels)})",
                "messages": _listed(report.messages),
            },
        )
    )
    console.print(_table("What became of it", _outcomes(report)))
    console.print(_hand_offs(report))
    console.print(_table("What went wrong in between, and did no harm", _faults(report)))
    if report.failures:
        console.print(Panel(Group(*report.failures), title="not as expected", border_style="red"))
    met = report.expectations - len(report.failures)
    colour = "red" if report.failures else "green"
    console.print(
        f"[{colour}]{met} of {report.expectations} expectations met[/] in {report.seconds} s", highlight=False
    )


def _outcomes(report: Report) -> dict[str, Any]:
    verdicts = ("resolved", "unresolved", "open")
    return {
        "turns by verdict": _listed({name: report.turns.get(name, 0) for name in verdicts}),
        "answered by the AI": f"{report.answered_share:.0%} of the turns it took",
        "first response": f"p50 {report.first_response_p50_ms} ms, p95 {report.first_response_p95_ms} ms"
        " (waits 600 ms for the burst to end, except on live and comment)",
        "taken over by a person first": report.overtaken,
    }


def _faults(report: Report) -> dict[str, Any]:
    return {
        "webhooks sent twice / dropped": f"{report.duplicates_sent} / {report.duplicates_dropped}",
        "sends tried again": report.retries,
        "found at the helpdesk, not sent again": report.looked_up,
        "messages shown twice": report.doubled_messages,
        "AI spoke over a person": report.second_voices,
    }


def _hand_offs(report: Report) -> Table:
    table = Table(title="Hand-offs", title_justify="left", title_style="bold", expand=False)
    for heading in ("rule", "times", "why", "for example"):
        table.add_column(heading)
    for each in report.hand_offs:
        table.add_row(each.rule, str(each.count), each.why, each.example)
    return table


def _table(title: str, rows: Mapping[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, min_width=60)
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
