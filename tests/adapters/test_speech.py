"""What our words look like at a vendor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.speech import pieces


@given(st.text(alphabet="ab 長\n👩🏽‍💻", max_size=300), st.integers(min_value=1, max_value=40))
def test_pieces_lose_nothing_but_the_space_where_they_are_cut(text: str, most: int) -> None:
    """None is too long or empty, and together they are the text."""
    cut = list(pieces(text, most=most))
    assert all(0 < len(piece) <= most for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("short", ["short"]),
        ("one two three", ["one two", "three"]),
        ("one\ntwo three", ["one\ntwo", "three"]),
        ("一二三四五六七八九十", ["一二三四五六七八", "九十"]),
        ("a bbbbbbbbbbbb", ["a bbbbbb", "bbbbbb"]),
    ],
)
def test_pieces_end_between_words_where_that_leaves_more_than_half(text: str, expected: list[str]) -> None:
    """A word is cut only where there would be little before it."""
    assert list(pieces(text, most=8)) == expected
