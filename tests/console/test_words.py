"""The catalogue, and which language a reader gets."""

import re

import pytest

from gateway.console.words import LANGUAGES, choose, words


def test_every_language_says_everything() -> None:
    """No key is missing anywhere, and each leaves open the same places."""
    english = words("en")
    for language in LANGUAGES:
        other = words(language)
        assert other.keys() == english.keys()
        for key in english.keys():  # noqa: SIM118 - Words is no mapping
            assert set(re.findall(r"{\w+}", other(key))) == set(re.findall(r"{\w+}", english(key))), key


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "chosen"),
    [
        (None, None, "", "en"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "fr,en;q=0.3,zh;q=0.7", "zh"),
        (None, None, "fr;q=x,*", "en"),
        (None, "zh", "en", "zh"),
        ("en", "zh", "zh", "en"),
        ("xx", None, "zh", "zh"),
    ],
)
def test_the_readers_language(asked: str | None, remembered: str | None, accepted: str, chosen: str) -> None:
    """Asked for wins over remembered, remembered over the browser's."""
    assert choose(asked=asked, remembered=remembered, accepted=accepted) == chosen
