"""The commands under `deskbridge knowledge`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import utc_now
from config.settings import Settings
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import err, out
from gateway.database import open_database
from knowledge import store
from knowledge.answers import Answer, Answerer, Question
from knowledge.importing import ImportReport, import_path
from knowledge.index import KnowledgeIndex

app = typer.Typer(no_args_is_help=True, help="What the AI answers from.")
Ids = Annotated[list[str], typer.Argument(help="Articles, by id.")]


@app.callback()
def knowledge() -> None:
    """What the AI answers from."""


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A Markdown, CSV or JSON Lines file, or a directory of them.")],
    config: ConfigOption = None,
) -> None:
    """Import articles: all of them, or none. Unchanged ones make no new revision."""
    run(_import(settings_from(config), path))


async def _import(settings: Settings, path: Path) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    async with open_database(settings) as engine:
        with Progress(*columns, console=err, disable=not err.is_terminal) as shown:
            task = shown.add_task("importing", total=None)
            async with engine.begin() as connection:
                report = await import_path(
                    connection,
                    path,
                    now=utc_now(),
                    progress=lambda done, total: shown.update(task, completed=done, total=total),
                )
                if not report.problems and report.added + report.updated:
                    await store.announce(connection)
    _tell(report)


def _tell(report: ImportReport) -> None:
    for problem in report.problems:
        err.print(str(problem), highlight=False, markup=False)
    if report.problems:
        err.print(f"nothing imported: {len(report.problems)} problems", highlight=False)
        raise typer.Exit(2)
    out.print(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged", highlight=False
    )
    if report.withdrawn:
        names = ", ".join(report.withdrawn)
        out.print(f"still withdrawn (deskbridge knowledge restore): {names}", highlight=False, markup=False)


@app.command("withdraw")
def withdraw(ids: Ids, config: ConfigOption = None) -> None:
    """Stop serving articles at once, whatever is imported later."""
    run(_move(settings_from(config), ids, to_withdrawn=True))


@app.command("restore")
def restore(ids: Ids, config: ConfigOption = None) -> None:
    """Serve withdrawn articles again."""
    run(_move(settings_from(config), ids, to_withdrawn=False))


async def _move(settings: Settings, ids: list[str], *, to_withdrawn: bool) -> None:
    async with open_database(settings) as engine, engine.begin() as connection:
        await _require_known(connection, ids)
        if to_withdrawn:
            moved = await store.withdraw(connection, ids, now=utc_now())
        else:
            moved = await store.restore(connection, ids)
        await store.announce(connection)
    out.print(f"{moved} {'withdrawn' if to_withdrawn else 'restored'}", highlight=False)


async def _require_known(connection: AsyncConnection, ids: list[str]) -> None:
    known = await store.load_heads(connection, ids)
    if unknown := [name for name in ids if name not in known]:
        err.print(
            f"no article is called {', '.join(unknown)}; see: deskbridge knowledge list",
            highlight=False,
            markup=False,
        )
        raise typer.Exit(2)


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """Every article with its newest revision."""
    run(_list(settings_from(config)))


async def _list(settings: Settings) -> None:
    async with open_database(settings) as engine, engine.connect() as connection:
        articles = await store.load_articles(connection)
    now = utc_now()
    table = Table("id", "language", "revision", "state", "title")
    for item in articles:
        table.add_row(item.id, item.language, str(item.revision), item.state(now), item.title)
    out.print(table)


@app.command("ask")
def ask(
    question: Annotated[str, typer.Argument(help="What a customer might write.")],
    language: Annotated[str | None, typer.Option(help="zh, en, …; recognised when left out.")] = None,
    config: ConfigOption = None,
) -> None:
    """What the AI would answer, how sure it is, and on what that rests. Exit code 1: it doesn't know."""
    run(_ask(settings_from(config), Question(texts=(question,), language=language)))


async def _ask(settings: Settings, question: Question) -> None:
    async with open_database(settings) as engine:
        async with engine.connect() as connection:
            index = await KnowledgeIndex.load(connection)
        answerer = Answerer(index, engine, threshold=settings.answers.threshold)
        answer = await answerer.answer(question, now=utc_now())
    _show(answer, settings.answers.threshold)
    if answer.failure is not None:
        raise typer.Exit(1)


def _show(answer: Answer, threshold: float) -> None:
    out.print(answer.text or "(no answer)", highlight=False, markup=False)
    sure = f"confidence {answer.confidence:.2f}, needed {threshold:.2f}, language {answer.language}"
    out.print(f"\n{answer.kind}: {sure}", highlight=False)
    for cited in answer.citations:
        span = f"{cited.start}–{cited.end}"
        line = f"cites {cited.article_id} revision {cited.revision_number}, {span}: {cited.article_title}"
        out.print(line, highlight=False, markup=False)
    for other in answer.candidates:
        out.print(f"  {other.confidence:.2f}  {other.article_id}", highlight=False, markup=False)
