"""The language of short, mixed messages; the terms the index sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.language import detect
from knowledge.smalltalk import recognise
from knowledge.tokens import content


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我的 order 到哪了", "zh"),
        ("iPhone 15 Pro Max case 有吗", "zh"),
        ("XL码还有吗", "zh"),
        ("Do you ship to 上海?", "en"),
        ("refund", "en"),
        ("no verification code coming through", "en"),
        ("where's my package", "en"),
        ("¿Dónde está mi pedido?", "es"),
        ("où est ma commande", "fr"),
        ("wo ist meine Bestellung", "de"),
        ("配送はいつですか", "ja"),
        ("배송은 언제 되나요", "ko"),
        ("где мой заказ", "ru"),
        ("12345 ??? 😭", "und"),
        ("", "und"),
    ],
)
def test_language_of_short_messages(text: str, language: str) -> None:
    """A name or a loan word doesn't decide."""
    assert detect(text) == language


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("運費險怎麼賠", "运费险怎么赔"),
        ("ＲＥＴＵＲＮ", "return"),
        ("returning parcels", "return a package"),
        ("邮费多少钱", "运费几块钱"),
        ("I don’t know my password", "I don't know my password"),
    ],
)
def test_same_matter_gives_the_same_terms(one: str, other: str) -> None:
    """Script, width, endings and synonyms make no difference."""
    assert content(one) == content(other)


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever customers type, nothing breaks."""
    detect(text)
    recognise(text)
    assert all(content(text))


@pytest.mark.parametrize(
    "text", ["high heels", "hi, where is my order", "谢谢，那运费呢", "早上好，几点发货"]
)
def test_question_with_a_greeting_is_no_small_talk(text: str) -> None:
    """Only a message that says nothing else is small talk."""
    assert recognise(text) is None
