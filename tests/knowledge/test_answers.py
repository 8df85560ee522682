"""Answers: cited, in the customer's language, silent when nothing fits, never from knowledge that ended."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from knowledge import store
from knowledge.answers import Answer, AnswerKind, Failure
from tests.knowledge.conftest import NOW, Shop

Ask = Callable[..., Awaitable[Answer]]

SALE = """\
    ---
    id: en/sale
    title: Summer sale
    language: en
    questions: ["When is the summer sale?"]
    valid_from: 2026-05-01
    valid_until: 2026-05-31
    ---

    The summer sale is on.
    """


@pytest.mark.parametrize(
    ("text", "article", "words"),
    [
        ("how much is shipping?", "en/shipping-costs", "free from ¥99"),
        ("I forgot my password", "en/password", "Forgot password"),
        ("can i return underwear", "en/not-returnable", "hygiene"),
        ("多久能到货？", "zh/shipping-times", "2–4 天"),
        ("怎么开发票啊", "zh/invoices", "电子发票"),
        ("請問運費險怎麼賠", "zh/return-cost", "12 元"),
        ("ＰａｙＰａｌ 可以付款吗", "zh/payment-methods", "PayPal"),
    ],
)
async def test_question_is_answered_from_its_article_in_its_language(
    ask: Ask, text: str, article: str, words: str
) -> None:
    """Chinese and English, simplified or not, half or full width."""
    answer = await ask(text)
    assert answer.text is not None
    assert words in answer.text
    assert [citation.article_id for citation in answer.citations] == [article]
    assert answer.language == article.split("/", maxsplit=1)[0]
    assert answer.failure is None
    assert answer.confidence >= 0.5


@pytest.mark.parametrize(
    "text",
    ["what's the weather in Paris", "do you sell laptops", "周杰伦多大了", "???", "¿Dónde está mi pedido?"],
)
async def test_unanswerable_question_finds_nothing(ask: Ask, text: str) -> None:
    """No answer is better than a wrong one; what was considered stays on record."""
    answer = await ask(text)
    assert (answer.kind, answer.text, answer.failure) == (AnswerKind.NOTHING, None, Failure.NOTHING_FOUND)
    assert answer.citations == ()
    assert answer.confidence < 0.5


@pytest.mark.parametrize(
    ("text", "kind", "language"),
    [
        ("hi", AnswerKind.GREETING, "en"),
        ("Hello there!", AnswerKind.GREETING, "en"),
        ("你好，在吗？", AnswerKind.GREETING, "zh"),
        ("Thanks a lot 😊", AnswerKind.THANKS, "en"),
        ("好的，谢谢啦", AnswerKind.THANKS, "zh"),
        ("bye", AnswerKind.FAREWELL, "en"),
    ],
)
async def test_small_talk_is_never_answered_with_an_article(
    ask: Ask, text: str, kind: AnswerKind, language: str
) -> None:
    """A greeting gets a greeting."""
    answer = await ask(text)
    assert (answer.kind, answer.language, answer.confidence) == (kind, language, 1.0)
    assert answer.citations == ()
    assert answer.text


async def test_greeting_before_a_question_does_not_hide_it(ask: Ask) -> None:
    """A burst is one question."""
    answer = await ask("你好", "在吗", "我想问一下", "怎么申请退货")
    assert [citation.article_id for citation in answer.citations] == ["zh/how-to-return"]


@pytest.mark.parametrize(
    ("burst", "articles"),
    [
        (("Can I pay with PayPal?", "How long does shipping take?"), 2),
        (("付款失败怎么办", "怎么申请退货"), 2),
        (("How do I delete my account?", "I forgot my password"), 2),
        (("I bought a jacket last week.", "How long does shipping take?"), 1),
        (("How long does shipping take?", "How long does shipping take to arrive?"), 1),
    ],
)
async def test_every_question_of_a_burst_is_answered(ask: Ask, burst: tuple[str, ...], articles: int) -> None:
    """Each from its own article, in the order asked; what is no question adds nothing."""
    answer = await ask(*burst)
    assert len({citation.article_id for citation in answer.citations}) == articles == len(answer.citations)
    assert answer.text == "\n\n".join(citation.quote for citation in answer.citations)
    if articles == 2:
        alone = [await ask(text) for text in burst]
        assert [each.citations[0].article_id for each in alone] == [c.article_id for c in answer.citations]


async def test_follow_up_is_understood_from_what_was_asked_before(ask: Ask) -> None:
    """'And to Canada?' is about delivery when delivery was the matter."""
    answer = await ask("and to Canada?", earlier=["How long does shipping take?"])
    assert answer.citations[0].article_id == "en/international-shipping"
    assert "Canada takes 8 to 14 working days" in (answer.text or "")


async def test_follow_up_that_adds_nothing_known_is_not_answered_again(ask: Ask) -> None:
    """The earlier question's answer isn't repeated at every word."""
    answer = await ask("and what about zebras?", earlier=["How long does shipping take?"])
    assert answer.text is None


async def test_expired_knowledge_is_never_served(shop: Shop) -> None:
    """Valid until its last moment, and not a moment longer; nor before its first."""
    shop.write("sale.md", SALE)
    await shop.load()
    await shop.refresh()
    end = datetime(2026, 6, 1, tzinfo=UTC)
    question = "when is the summer sale?"
    assert (await shop.ask(question, now=end - timedelta(seconds=1))).text == "The summer sale is on."
    assert (await shop.ask(question, now=end)).text is None
    assert (await shop.ask(question, now=datetime(2026, 4, 30, tzinfo=UTC))).text is None


async def test_withdrawn_knowledge_is_never_served_from_an_older_index(clearsail: Shop) -> None:
    """What was withdrawn a moment ago is silent, though the index hasn't heard of it."""
    assert (await clearsail.ask("怎么开发票")).text
    async with clearsail.engine.begin() as connection:
        await store.withdraw(connection, ["zh/invoices"], now=NOW)
    answer = await clearsail.ask("怎么开发票")
    assert "zh/invoices" not in {citation.article_id for citation in answer.citations}


async def test_replaced_knowledge_is_never_served_from_an_older_index(shop: Shop) -> None:
    """An old revision is silent from the moment the new one is stored."""
    shop.write("sale.md", SALE.replace("valid_until: 2026-05-31", "tags: [sale]"))
    await shop.load()
    await shop.refresh()
    shop.write("sale.md", SALE.replace("valid_until: 2026-05-31", "tags: [over]").replace("is on", "is over"))
    await shop.load()
    assert (await shop.ask("when is the summer sale?")).text is None
    assert await shop.refresh()
    assert (await shop.ask("when is the summer sale?")).text == "The summer sale is over."


async def test_announced_revision_waits_for_its_day(shop: Shop) -> None:
    """Until the new revision begins, the old one is what the article says."""
    body = '---\nid: en/fee\ntitle: Fee\n{}\nquestions: ["What is the fee?"]\n---\nThe fee is {}.'
    for window, fee in (("language: en", "one"), ("language: en\nvalid_from: 2026-07-01", "two")):
        shop.write("fee.md", body.format(window, fee))
        await shop.load()
    await shop.refresh()
    assert (await shop.ask("What is the fee?")).text == "The fee is one."
    assert (
        await shop.ask("What is the fee?", now=datetime(2026, 7, 1, tzinfo=UTC))
    ).text == "The fee is two."


async def test_answer_can_be_rebuilt_from_its_citation(shop: Shop) -> None:
    """After the article has changed, the revision still tells what was said."""
    shop.write("sale.md", SALE.replace("valid_until: 2026-05-31", "tags: [sale]"))
    await shop.load()
    await shop.refresh()
    citation = (await shop.ask("when is the summer sale?")).citations[0]
    shop.write("sale.md", SALE.replace("is on", "is over"))
    await shop.load()
    async with shop.engine.connect() as connection:
        revision = await store.load_revision(connection, citation.revision_ref)
        assert await store.load_revision(connection, 10**9) is None
    assert revision is not None
    assert (revision.article_id, revision.number) == ("en/sale", citation.revision_number)
    assert revision.body[citation.start : citation.end] == citation.quote == "The summer sale is on."


async def test_long_article_is_quoted_in_part(shop: Shop) -> None:
    """The span that answers, not the whole page."""
    parts = [f"## Part {n}\n\n" + f"Sentence {n} tells nothing of note. " * 15 for n in range(6)]
    parts.append("## Umbrellas\n\n" + "Rain falls. " * 60 + "Umbrellas are lent for free at the desk.")
    shop.write("a.md", "---\ntitle: Handbook\nlanguage: en\n---\n" + "\n\n".join(parts))
    await shop.load()
    await shop.refresh()
    answer = await shop.ask("are umbrellas lent for free?")
    assert answer.text is not None
    assert len(answer.text) <= 500
    assert "Umbrellas are lent for free" in answer.text


async def test_refresh_does_nothing_when_nothing_changed(clearsail: Shop) -> None:
    """One cheap query tells."""
    assert not await clearsail.refresh()
    async with clearsail.engine.begin() as connection:
        await store.withdraw(connection, ["en/points"], now=NOW)
    assert await clearsail.refresh()
    assert not await clearsail.refresh()


async def test_no_knowledge_means_no_answer(shop: Shop) -> None:
    """An empty house says so."""
    await shop.refresh()
    assert (await shop.ask("how much is shipping?")).failure is Failure.NOTHING_FOUND
