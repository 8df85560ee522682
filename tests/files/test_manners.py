"""How one speaks on a channel."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import manners

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FAMILY = "👨‍👩‍👧‍👦"
THUMB = "👍🏽"
FLAG = "🇨🇳"


def test_what_is_short_stays_as_it_is() -> None:
    """No numbers, no cuts; nor where nothing is said of a limit."""
    assert manners.parts("Hello.", 20) == ["Hello."]
    assert manners.parts("x" * 5000, None) == ["x" * 5000]


@pytest.mark.parametrize(
    ("text", "longest", "parts"),
    [
        ("First thing. Second thing.", 20, ["First thing.", "Second thing."]),
        ("订单已发货。请注意查收！", 8, ["订单已发货。", "请注意查收！"]),
        ("Version 3.14 is out. Yes.", 22, ["Version 3.14 is out.", "Yes."]),
        ("one two three four", 10, ["one two", "three four"]),
    ],
)
def test_long_texts_are_cut_between_sentences_else_words(text: str, longest: int, parts: list[str]) -> None:
    """Two parts bear no numbers."""
    assert manners.parts(text, longest) == parts


def test_three_parts_are_numbered() -> None:
    """And the numbers have room in the limit."""
    parts = manners.parts("This is one sentence of many. " * 12, 100)
    assert len(parts) >= manners.NUMBERED_FROM
    assert parts[0].endswith(f"(1/{len(parts)})")
    assert all(len(part) <= 100 for part in parts)


@pytest.mark.parametrize("character", [FAMILY, THUMB, FLAG, "é", "각"])
def test_what_readers_see_as_one_is_never_cut(character: str) -> None:
    """Joined emoji, skin tones, flags, marks."""
    parts = manners.parts(character * 30, 50)
    assert all(len(part.rpartition(" (")[0] or part) % len(character) == 0 for part in parts)
    assert list(manners.clusters(character * 3)) == [character] * 3


@given(st.text(max_size=400), st.integers(min_value=20, max_value=60))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, longest: int) -> None:
    """But for spaces at the cuts, and the numbers; a single character may be longer than any limit."""
    parts = manners.parts(text, longest)
    if len(parts) == 1:
        assert parts == [text] or parts[0] == text.strip()
        return
    bare = [p.rpartition(" (")[0] if len(parts) >= manners.NUMBERED_FROM else p for p in parts]
    if all(len(cluster) < 10 for cluster in manners.clusters(text)):
        assert all(len(part) <= longest for part in parts)
    assert "".join("".join(bare).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "cited", "personal"),
    [
        ("Your order SH-2214-88 is on its way.", True, True),
        ("We write to ann@example.com.", True, True),
        ("Call +86 138 0013 8000.", False, True),
        ("Call our hotline 400 820 8820.", True, False),
        ("Delivery takes two days.", False, False),
        ("Prices start at 199.", False, False),
    ],
)
def test_what_is_personal(text: str, personal: bool, cited: bool) -> None:  # noqa: FBT001 - the table's columns
    """What we know of the customer always; addresses and numbers unless an article has them."""
    known = ["ann@example.com", "SH-2214-88", "VIP"]
    assert manners.is_personal(text, known=known, cited=cited) is personal


def test_the_next_word_waits_for_its_turn() -> None:
    """So long after the last one; at once where nothing was said."""
    every = timedelta(seconds=3)
    assert manners.not_before([], every, NOW) == NOW
    assert manners.not_before([NOW - timedelta(seconds=1)], every, NOW) == NOW + timedelta(seconds=2)
    assert manners.not_before([NOW - timedelta(minutes=1)], every, NOW) == NOW
