"""`deskbridge knowledge …` as an operator uses it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from config.settings import PACKAGED
from knowledge.store import WAKE_KNOWLEDGE

Command = Callable[..., Any]
ARTICLE = "---\nid: {id}\nlanguage: en\n---\n# {title}\n\n{body}\n"
QUESTION = "How long does delivery take?"


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """Three small articles."""
    directory = tmp_path / "articles"
    directory.mkdir()
    for name, title, body in (
        ("delivery", "Delivery times", "Delivery takes three working days."),
        ("returns", "Returns", "You may return unworn shoes within thirty days."),
        ("sizes", "Sizes", "Our shirts run small: take one size more."),
    ):
        (directory / f"{name}.md").write_text(ARTICLE.format(id=name, title=title, body=body))
    return directory


def test_articles_are_imported_asked_withdrawn_and_restored(run: Command, database_url: str) -> None:
    """The whole life of an article, by commands alone."""

    def knowledge(*arguments: str | Path, code: int = 0) -> str:
        ran = run("knowledge", *arguments, database=database_url)
        assert ran.returncode == code, ran.stderr
        return str(ran.stdout)

    shop = PACKAGED / "knowledge"
    assert re.match(r"\d+ added, 0 updated, 0 unchanged", knowledge("import", shop))
    answer = knowledge("ask", QUESTION)
    cited = re.search(r"cites (\S+) revision 1", answer)
    assert cited, answer
    assert "1 withdrawn" in knowledge("withdraw", cited[1])
    ran = run("knowledge", "ask", QUESTION, database=database_url)
    assert f"cites {cited[1]}" not in ran.stdout
    assert f"still withdrawn (deskbridge knowledge restore): {cited[1]}" in knowledge("import", shop)
    assert re.search(rf"{cited[1]}.*withdrawn", knowledge("list"))
    assert "1 restored" in knowledge("restore", cited[1])
    assert f"cites {cited[1]}" in knowledge("ask", QUESTION, "--language", "en")


def test_not_knowing_has_an_exit_code_of_its_own(run: Command, database_url: str) -> None:
    """For scripts that try their questions after each import."""
    ran = run("knowledge", "ask", "Do you sell submarines?", database=database_url)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (1, "(no answer)")


def test_a_mistake_is_told_with_its_place_and_nothing_is_imported(
    run: Callable,
    database_url: str,
    articles: Path,
) -> None:
    """All problems at once, each with file, line and cure; the good articles stay out, too."""
    (articles / "bad.md").write_text("---\nid: bad\nlanguage: en\nvalid_until: soon\n---\n# Bad\n\nText.\n")
    (articles / "pairs.jsonl").write_text('{"question": "Q?", "answer": "A."}\nnot json\n')
    ran = run("knowledge", "import", articles, database=database_url)
    assert ran.returncode == 2
    assert "bad.md: field 'valid_until': not a date" in ran.stderr
    assert "pairs.jsonl: line 2" in ran.stderr
    assert "nothing imported" in ran.stderr
    assert "delivery" not in run("knowledge", "list", database=database_url).stdout


def test_an_unknown_article_is_not_withdrawn(refused: Callable[..., str], database_url: str) -> None:
    """A typo must not look like success."""
    assert "no article is called delivry" in refused(
        "knowledge", "withdraw", "delivry", database=database_url
    )


async def test_running_workers_hear_of_an_import(
    run: Callable,
    engine: AsyncEngine,
    database_url: str,
    articles: Path,
) -> None:
    """Nobody needs to restart anything."""
    heard = asyncio.Event()
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.add_listener(WAKE_KNOWLEDGE, lambda *_args: heard.set())
        await asyncio.to_thread(run, "knowledge", "import", articles, database=database_url)
        await asyncio.wait_for(heard.wait(), 5)
        await connection.invalidate()
