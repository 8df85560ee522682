"""Greetings, thanks and good-byes, which no article should answer."""

import re
from collections.abc import Mapping
from enum import StrEnum

from knowledge.tokens import normalise


class SmallTalk(StrEnum):
    """What a customer says without asking anything."""

    GREETING = "greeting"
    THANKS = "thanks"
    FAREWELL = "farewell"


_PHRASES: Mapping[SmallTalk, str] = {
    SmallTalk.GREETING: (
        r"(?:hi+|hello+|hey+)(?: there)?|hiya|howdy|greetings|"
        r"good (?:morning|afternoon|evening|day)|anyone (?:there|here)|"
        r"(?:are )?you there|is anyone there|"
        r"你好+|您好+|妳好|嗨|哈喽|哈啰|在吗?|在么|在不在|有人吗|有人在吗|亲+|早上好|上午好|中午好|下午好|"
        r"晚上好|早|大家好|主播好"
    ),
    SmallTalk.THANKS: (
        r"thanks(?: a lot| so much)?|thank you(?: (?:so|very) much)?|many thanks|thx|ty|cheers|"
        r"much appreciated|"
        r"that helps?|that helped|great|perfect|awesome|got it|ok(?:ay)?|alright|"
        r"谢+[你您啊了]*|多谢|感谢|非常感谢|太感谢了|辛苦了|麻烦[你您]?了|好的+|好|知道了|明白了?|了解了?|收到|懂了|ok的|嗯+|行"
    ),
    SmallTalk.FAREWELL: (
        r"bye+|bye bye|goodbye|good night|see you|see ya|have a (?:nice|good) (?:day|one|evening)|"
        r"再见|拜拜|拜|晚安|回头见|下次见|88"
    ),
}
_PATTERNS = {
    # A Latin word must end where the phrase does: "high" is no "hi".
    kind: re.compile(rf"(?:{phrases})(?![a-z0-9'])")
    for kind, phrases in _PHRASES.items()
}
_GAP = re.compile(
    r"(?:[^\w]|\b(?:so much|and|again|all|team|guys|for (?:your|the) help)\b|[啊呀哦呢哈啦吧哟噢])*"
)


_TEXTS: Mapping[SmallTalk, Mapping[str, str]] = {
    SmallTalk.GREETING: {"zh": "您好！请问有什么可以帮您？", "en": "Hello! What can I do for you?"},
    SmallTalk.THANKS: {
        "zh": "不客气，还有问题随时找我。",
        "en": "You're welcome. Just ask if there is anything else.",
    },
    SmallTalk.FAREWELL: {"zh": "再见，祝您生活愉快！", "en": "Good-bye, and have a nice day!"},
}


def recognise(text: str) -> SmallTalk | None:
    """What `text` is when it is nothing but small talk; of several kinds, the last."""
    talk = normalise(text)
    position = _gap_end(talk, 0)
    kind: SmallTalk | None = None
    while position < len(talk):
        match = _longest(talk, position)
        if match is None:
            return None
        kind, position = match
        position = _gap_end(talk, position)
    return kind


def _gap_end(talk: str, position: int) -> int:
    gap = _GAP.match(talk, position)
    return gap.end() if gap else position


def _longest(talk: str, position: int) -> tuple[SmallTalk, int] | None:
    ends = {
        kind: match.end() for kind, pattern in _PATTERNS.items() if (match := pattern.match(talk, position))
    }
    if not ends:
        return None
    kind = max(ends, key=lambda key: ends[key])
    return kind, ends[kind]


def reply(kind: SmallTalk, language: str) -> str:
    """What we say to it; in English unless we speak the language."""
    texts = _TEXTS[kind]
    return texts.get(language, texts["en"])
