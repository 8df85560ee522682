"""Import: all of a run or nothing of it, nothing twice, and every problem named."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from knowledge import store
from knowledge.importing import import_path
from tests.knowledge.conftest import DEMO, NOW, Shop

ARTICLE = """\
    ---
    id: en/returns
    title: Returns
    questions:
      - Can I return this?
    ---

    Send it back within **15 days**.
    """


async def _count(shop: Shop, table: str) -> int:
    async with shop.engine.connect() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


async def test_demo_knowledge_has_at_least_thirty_articles_in_each_language(shop: Shop) -> None:
    """The demo shop speaks both languages equally."""
    report = await shop.load(DEMO)
    assert (report.problems, report.failed) == ((), 0)
    async with shop.engine.connect() as connection:
        rows = await connection.execute(text("SELECT language, count(*) FROM article GROUP BY 1"))
        counts = {row[0]: row[1] for row in rows}
    assert counts["zh"] == counts["en"] >= 30


async def test_same_import_twice_adds_nothing(shop: Shop) -> None:
    """The second run finds everything unchanged."""
    first = await shop.load(DEMO)
    second = await shop.load(DEMO)
    assert (second.added, second.updated, second.unchanged) == (0, 0, first.added)
    assert await _count(shop, "revision") == first.added


async def test_changed_article_gets_a_new_revision_and_keeps_the_old(shop: Shop) -> None:
    """Revisions only ever grow in number."""
    shop.write("returns.md", ARTICLE)
    await shop.load()
    shop.write("returns.md", ARTICLE.replace("15 days", "30 days").replace("Returns", "Sending back"))
    report = await shop.load()
    assert (report.added, report.updated) == (0, 1)
    async with shop.engine.connect() as connection:
        rows = await connection.execute(text("SELECT number, body FROM revision ORDER BY number"))
        assert [tuple(row) for row in rows] == [
            (1, "Send it back within 15 days."),
            (2, "Send it back within 30 days."),
        ]
        assert (await connection.execute(text("SELECT title FROM article"))).scalar_one() == "Sending back"


async def test_moved_file_with_the_same_content_is_unchanged(shop: Shop) -> None:
    """An id, not a path, says which article it is."""
    shop.write("returns.md", ARTICLE)
    await shop.load()
    (shop.folder / "returns.md").unlink()
    shop.write("deep/below/sent-back.md", ARTICLE)
    assert (await shop.load()).unchanged == 1


async def test_nothing_is_half_imported(shop: Shop) -> None:
    """One bad file keeps the good ones out, too."""
    shop.write("good.md", ARTICLE)
    shop.write("bad.csv", "question,answer\nHow?,\n")
    report = await shop.load()
    assert report.failed == 1
    assert await _count(shop, "article") == 0


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.md", "---\nid: [\n---\nText", "a.md: line 2: the front matter is no YAML"),
        (
            "a.md",
            "---\nvalid_til: 2026-01-01\n---\nText",
            "unknown field. Perhaps 'valid_until' is meant",
        ),
        ("a.md", "---\nvalid_from: soon\n---\nText", "field 'valid_from': not a date: 'soon'"),
        ("a.md", "---\nvalid_from: 2026-01-01T10:00:00\n---\nText", "a time without an offset"),
        ("a.md", "---\nvalid_from: 2026-02-01\nvalid_until: 2026-01-01\n---\nText", "ends before it starts"),
        ("a.md", "---\nquestions: {a: b}\n---\nText", "field 'questions': expected a list of texts"),
        ("a.md", "---\ntitle: [x]\n---\nText", "field 'title': expected text, found list"),
        ("a.md", "---\nurl: javascript:alert(1)\n---\nText", "field 'url': no web address"),
        ("a.md", "---\nid: a\n---\n", "the article has no text"),
        ("a.md", "---\n- a\n---\nText", "the front matter has no fields"),
        ("a.md", "12345", "can't tell the language"),
        ("a.csv", "frage,antwort\na,b\n", "a.csv: line 1: the columns question and answer are missing"),
        ("a.csv", "question,answer\nWhy?,a,b\n", "a.csv: line 2: not as many values"),
        ("a.csv", 'question,answer\nWhy?,"a\n', "a.csv: line 2: no CSV"),
        ("a.csv", "question,answer\n,Because\n", "a.csv: line 2, field 'question': missing"),
        ("a.jsonl", '{"question": "a"\n', "a.jsonl: line 1: no JSON object"),
        ("a.jsonl", "[1]\n", "a.jsonl: line 1: no JSON object"),
        ("a.jsonl", '\n{"question": "a", "answer": "<script>x</script>"}\n', "field 'answer': nothing"),
    ],
)
async def test_bad_input_is_named_with_its_place_and_cure(
    shop: Shop, name: str, content: str, expected: str
) -> None:
    """The operator learns what to change, and where."""
    (shop.folder / name).write_text(content, encoding="utf-8")
    report = await shop.load()
    assert any(expected in str(problem) for problem in report.problems), [str(p) for p in report.problems]
    assert all(problem.cure for problem in report.problems)
    assert report.failed == 1


async def test_every_problem_of_a_run_is_reported_at_once(shop: Shop) -> None:
    """One run is enough to see all that must be mended."""
    shop.write("a.md", "---\nurl: x\nlanguge: en\n---\nText")
    shop.write("b.csv", "question,answer\nWhy?,\nHow?,\n")
    report = await shop.load()
    assert [problem.source for problem in report.problems] == ["a.md", "a.md", "b.csv", "b.csv"]
    assert report.failed == 3


async def test_file_that_is_not_utf_8_is_refused(shop: Shop) -> None:
    """A spreadsheet's export in another encoding says so."""
    (shop.folder / "a.csv").write_bytes("question,answer\n退货,可以".encode("gb18030"))
    assert "not UTF-8. Save the file as UTF-8" in str((await shop.load()).problems[0])


async def test_missing_path_empty_folder_and_double_id_are_refused(shop: Shop) -> None:
    """The run says what it looked for."""
    assert "no such file" in str((await shop.load(shop.folder / "nowhere")).problems[0])
    assert "no articles found" in str((await shop.load()).problems[0])
    shop.write("a.md", ARTICLE)
    shop.write("b.md", ARTICLE)
    assert "already used in a.md" in str((await shop.load()).problems[0])


async def test_html_and_scripts_never_reach_a_body(shop: Shop) -> None:
    """What is stored is plain text."""
    shop.write(
        "a.md",
        "---\nlanguage: en\n---\n<b onclick=x>Bold</b> <script>alert(1)</script>5 < 6 & [a](https://a.example)",
    )
    shop.write("b.jsonl", '{"question": "Why <i>so</i>?", "answer": "<p>Because &amp; so</p>"}')
    await shop.load()
    async with shop.engine.connect() as connection:
        bodies = (await connection.execute(text("SELECT body FROM revision ORDER BY source"))).scalars().all()
    assert bodies == ["Bold 5 < 6 & a (https://a.example)", "Because & so"]


async def test_row_without_an_id_keeps_its_own_when_rows_move(shop: Shop) -> None:
    """A question without an id is known by its words."""
    shop.write("faq.csv", "question,answer\nDo you ship on Sundays?,Yes we do.\n")
    await shop.load()
    shop.write("faq.csv", "question,answer\nIs it new?,It is.\nDo you ship on Sundays?,No longer.\n")
    report = await shop.load()
    assert (report.added, report.updated) == (1, 1)


async def test_withdrawn_article_stays_withdrawn_through_imports(shop: Shop) -> None:
    """A nightly import must not bring back what a person took away."""
    shop.write("returns.md", ARTICLE)
    await shop.load()
    async with shop.engine.begin() as connection:
        assert await store.withdraw(connection, ["en/returns"], now=NOW) == 1
    shop.write("returns.md", ARTICLE.replace("15", "20"))
    assert (await shop.load()).withdrawn == ("en/returns",)
    await shop.refresh()
    assert (await shop.ask("Can I return this?")).text is None
    async with shop.engine.begin() as connection:
        assert await store.restore(connection, ["en/returns"]) == 1
    await shop.refresh()
    assert (await shop.ask("Can I return this?")).text == "Send it back within 20 days."


async def test_dates_without_a_time_include_their_day(shop: Shop) -> None:
    """Until 11 November means to its end."""
    shop.write(
        "a.md", "---\nid: a\nvalid_from: 2026-11-01\nvalid_until: 2026-11-11\n---\nDouble eleven is on."
    )
    await shop.load()
    async with shop.engine.connect() as connection:
        row = (await connection.execute(text("SELECT valid_from, valid_until FROM revision"))).one()
    assert tuple(row) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC))


async def test_thousands_of_rows_are_stored_in_batches_with_progress(shop: Shop) -> None:
    """Two and a half thousand rows in a few statements; the last progress is all of them."""
    rows = "".join(f"What about part {n}?,Part {n} is in stock.\n" for n in range(2500))
    shop.write("parts.csv", "question,answer\n" + rows)
    seen: list[tuple[int, int]] = []
    async with shop.engine.begin() as connection:
        report = await import_path(
            connection, shop.folder, now=NOW, progress=lambda *counts: seen.append(counts)
        )
    assert report.added == 2500
    assert seen[-1] == (2500, 2500)
    assert await _count(shop, "passage") == 2500
