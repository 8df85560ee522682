"""Every citation quotes its revision, whatever the articles look like."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.retrieval import Rarity
from knowledge.sentences import sentences
from knowledge.spans import SPAN_CHARS, best_span, packed
from knowledge.text import read_markdown
from tests.knowledge.conftest import Shop

TEXT = st.text(st.sampled_from("ab 退货。！?.\n#-*>`<&[]()|1"), max_size=1500)


async def test_every_citation_quotes_its_revision(clearsail: Shop) -> None:
    """Each question of the demo shop: body[start:end] is the quote."""
    from knowledge import store  # noqa: PLC0415

    async with clearsail.engine.connect() as connection:
        revisions = await store.load_indexed(connection)
        answered = 0
        for revision in revisions:
            answer = await clearsail.ask(revision.questions[0])
            for citation in answer.citations:
                stored = await store.load_revision(connection, citation.revision_ref)
                assert stored is not None
                assert stored.body[citation.start : citation.end] == citation.quote == answer.text
                assert (stored.title, stored.url) == (citation.article_title, citation.url)
                answered += 1
    assert answered > 0.9 * len(revisions)


@given(TEXT)
def test_every_piece_lies_in_its_body(source: str) -> None:
    """Pieces are in order, never overlap, and neither begin nor end with white space."""
    body, pieces = read_markdown(source)
    reached = 0
    for piece in pieces:
        assert reached <= piece.start < piece.end <= len(body)
        assert body[piece.start : piece.end] == body[piece.start : piece.end].strip()
        reached = piece.end


@given(TEXT)
def test_sentences_leave_nothing_out(text: str) -> None:
    """Between sentences there is only white space."""
    spans = sentences(text)
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())


@given(TEXT, st.integers(1, 400))
def test_packed_pieces_keep_within_the_limit_or_are_one_sentence(text: str, limit: int) -> None:
    """Only a single sentence may be longer than allowed."""
    for start, end in packed(text, (0, len(text)), limit=limit):
        assert end - start <= limit or len(sentences(text[start:end])) == 1


@given(TEXT)
def test_best_span_is_never_longer_than_allowed(text: str) -> None:
    """A quote is short enough to be read."""
    start, end = best_span(text, frozenset({"退货"}), Rarity([{"退货"}]))
    assert 0 <= start <= end <= len(text)
    assert end - start <= SPAN_CHARS
