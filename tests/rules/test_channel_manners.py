"""What is fit to be said on a channel, and how what is too long is split."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.channels import ChannelsSettings
from gateway import manners

LETTERS = st.one_of(
    st.sampled_from(
        [
            "退货需要七天。",
            "訂單處理中，請稍候。",
            "It takes two days. ",
            "Really? ",
            "3.50 ",
            "¥1,299.00",
            "\n",
            "……",
        ]
    ),
    st.sampled_from(["👨‍👩‍👧‍👦", "👍🏽", "🇨🇳", "🇩🇪", "e\u0301", "각", "word ", "，", "ann@example.com "]),
    st.just("https://shop.example/returns?id=7"),
    st.text(max_size=12),
)
TEXTS = st.lists(LETTERS, max_size=60).map("".join)


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(TEXTS, st.integers(40, 200))
@example("a" * 500, 100)
@example("https://shop.example/" + "a" * 500, 100)
def test_nothing_is_lost_and_every_part_fits(text: str, longest: int) -> None:
    """All parts and what couldn't be split together are the text; none is empty or too long."""
    parts, rest = manners.split(text, longest)
    assert all(0 < len(part) <= longest for part in parts)
    assert _bare("".join([*parts, rest])) == _bare(text)


@given(TEXTS, st.integers(40, 200))
def test_a_part_never_begins_within_what_is_one_to_the_eye(text: str, longest: int) -> None:
    """No part begins with a combining mark, a joiner or a skin colour that the one before it lost."""
    parts, _ = manners.split(text, longest)
    for part in parts[1:]:
        assert unicodedata.category(part[0]) not in {"Mn", "Me", "Mc"}
        assert part[0] not in "\u200d🏽"
    for part in parts[:-1]:
        assert not part.endswith("\u200d")


@given(TEXTS, st.integers(100, 200), st.integers(1, 9))
def test_never_more_messages_than_allowed(text: str, longest: int, most: int) -> None:
    """However long it is: so many messages at most, each within the limit, the last says where to go on."""
    parts, whole = manners.fit(text, longest=longest, most_parts=most, ending="Please write to us.")
    assert 1 <= len(parts) <= most
    assert all(len(part) <= longest for part in parts)
    assert whole or parts[-1].endswith("Please write to us.")


def test_links_numbers_and_flags_stay_whole() -> None:
    """A border that falls on one of them moves before it."""
    for whole in (
        "https://shop.example/a?b=1.2,3",
        "1,299.00",
        "SF1234567890",
        "👨‍👩‍👧‍👦",
        "🇨🇳",
        "ann@example.com",
    ):
        for lead in range(40 - len(whole), 40):
            text = "字" * lead + " " + whole + "。" + "字" * 40
            parts, rest = manners.split(text, 40)
            assert rest == ""
            assert any(whole in part for part in parts), (whole, lead, parts)
    flags = "🇨🇳🇩🇪" * 40
    parts, _ = manners.split(flags, 41)
    assert all(len(part) % 2 == 0 for part in parts)


def test_sentences_end_parts_where_they_can() -> None:
    """Chinese and English: between sentences, and more than two parts are numbered."""
    text = "我们会在七天之内为您办理退货。" * 10
    parts, whole = manners.fit(text, longest=100, most_parts=3, ending="…")
    assert (whole, len(parts)) == (True, 2)
    assert all(part.endswith("。") for part in parts)
    told = "We will send it back within seven days. " * 8
    parts, whole = manners.fit(told, longest=130, most_parts=5, ending="…")
    assert whole
    assert [part[:6] for part in parts] == [f"({n}/{len(parts)}) " for n in range(1, len(parts) + 1)]
    assert all(part.endswith("days.") for part in parts)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ann@example.com", "an e-mail address"),
        ("请打１３８００１３８０００", "a phone number"),
        ("Your order number is A10293", "an order or tracking number"),
        ("运单号：SF1234567890123", "an order or tracking number"),
        ("See https://t.example/track?no=SF1234567890123", "an order or tracking number"),
        ("送到南京西路1266号", "a street address"),
        ("We send it to 12 Baker Street", "a street address"),
        ("好的，李雷", "what the customer's record holds"),
        ("Your card B-7781 is ready", "what the customer's record holds"),
    ],
)
def test_personal_data_is_found(text: str, kind: str) -> None:
    """Addresses, numbers, and what the customer's record holds."""
    known = manners.telling("李雷", ["li@example.com"], {"card": "B-7781", "vip": True, "n": {"x": ["zz"]}})
    assert kind in manners.personal(text, known=known)


@pytest.mark.parametrize(
    "text",
    [
        "退货在七天内办理，满99元包邮，2026年11月11日前有效。",
        "Orders over 1000 yuan ship free; delivery takes 2-4 days.",
        "See https://help.example.com/articles/360012345678",
        "Write to service@shop.example or call 400-820-8200.",
        "It costs ¥1,299.00. Size 42.",
    ],
)
def test_what_everybody_may_read_passes(text: str) -> None:
    """Prices, dates, articles' links and the shop's own addresses are no personal data."""
    ours = ("*@shop.example", "400-820-8200")
    known = manners.telling("Ann", ["ann@example.com"], {"size": "42", "city": "上海"})
    assert manners.personal(text, known=known, ours=ours) == ()


def test_a_part_of_the_settings_keeps_the_rest() -> None:
    """Who changes one thing about a channel doesn't make it private by that; too short a limit is refused."""
    chosen = ChannelsSettings.model_validate(
        {"live": {"per_minute": 5, "longest": 200}, "product_page": {"public": True}}
    )
    assert (chosen.live.public, chosen.live.longest, chosen.of("live").most_parts) == (True, 200, 3)
    assert chosen.of("product_page").public
    assert not chosen.of("unknown").public
    with pytest.raises(ValidationError, match="longest"):
        ChannelsSettings.model_validate({"comment": {"longest": 20}})
