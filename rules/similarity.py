"""How alike two questions are; pure, Chinese and English."""

import re
import unicodedata
from functools import lru_cache

_TRADITIONAL = "轉沒問題請幫對話講這個們嗎來麼還說謝為經負責領導聯繫讓絡機會處決麻煩專員給開關訂單買賣貨運費發退錢時間後裡裏實際應該無覺錯誤聽懂復複複萬東紅藍顏顧號碼樣幾點現狀態總義處驗證賬戶帳碰郵車過進遠選長門問學習電腦"
_SIMPLIFIED = "转没问题请帮对话讲这个们吗来么还说谢为经负责领导联系让络机会处决麻烦专员给开关订单买卖货运费发退钱时间后里里实际应该无觉错误听懂复复复万东红蓝颜顾号码样几点现状态总义处验证账户账碰邮车过进远选长门问学习电脑"
_PUNCTUATION = {
    **{0xFF01 + i: 0x21 + i for i in range(94)},
    ord("’"): "'",
    ord("‘"): "'",
    ord("“"): '"',
    ord("”"): '"',
    ord("。"): "。",
    ord("　"): " ",
}
_FOLD = {**str.maketrans(_TRADITIONAL, _SIMPLIFIED), **_PUNCTUATION}

_FILLERS_ZH = re.compile(
    r"请问|你好|您好|在吗|我想(?:知道|问一?下?)?|想问一?下?|我(?:是)?(?:问|说)的?(?:是)?|我的意思|到底|究竟|一下|还是|可以|可不可以|能不能"
    r"|怎么样|怎么|如何|怎样|什么|为什么|有没有|是不是|是否|哪里|在哪|能|会|要|我|你|您|们|的|了|吗|呢|啊|呀|吧|是|在|这|那|给|就|也|请|再|又"
)
_STOP_EN = frozenset(
    re.findall(
        r"\w+",
        """a an the i im i'm me my you your we our it its it's this that these those is are was were be been am do
        does did can could would will should may might have has had how what which who whom to of for in on at
        with and or so if then there please pls hi hello hey ok want wanna know need like tell asked ask asking
        mean meant said say just get got again about from really actually s t m ve re d isn aren don doesn""",
    )
)
_KINDS = {
    "how": re.compile(r"how (?:do|can|could|to|should|would)\b|怎么(?!.{0,4}不)|如何|怎样"),
    "how long": re.compile(r"how long|\bwhen\b|how soon|多久|几天|什么时候|何时|多长时间|几点|哪天"),
    "how much": re.compile(r"how much|\bcost|\bprice|\bfee|多少钱|价格|费用|谁出|手续费"),
    "where": re.compile(r"\bwhere\b|到哪|(?:在哪里?|哪里|哪儿)(?!里?(?:操作|申请|设置|修改|改|弄|填|看))"),
    "who": re.compile(r"\bwho\b|谁"),
    "why": re.compile(r"\bwhy\b|为什么|为啥"),
}
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[\u4e00-\u9fff]+")
_ENOUGH = 3.0
"""Below this weight a shared word is a topic, not a question."""
_HAN = re.compile(r"[\u4e00-\u9fff]")
_ENDINGS = re.compile(r"(?:ing|ed|es|s|ly|e)$")


def fold(text: str) -> str:
    """Simplified characters and plain punctuation, one for one: offsets stay those of `text`."""
    return text.translate(_FOLD)


def alike(earlier: str, now: str) -> float:
    """0 for nothing in common, 1 for the same question; a shared topic alone stays below 0.5."""
    ours, theirs = _content(earlier), _content(now)
    if not ours or not theirs:
        return 0.0
    common = _weigh(ours & theirs)
    smaller = min(_weigh(ours), _weigh(theirs))
    dice = 2 * common / (_weigh(ours) + _weigh(theirs))
    swapped = min(_weigh(ours - theirs), _weigh(theirs - ours))
    containment = common / smaller if smaller >= _ENOUGH else 0.8 * dice
    score = (2 * dice + containment) / 3 - 0.3 * swapped / smaller
    return max(score, 0.0) * (0.6 if _ask_different_things(earlier, now) else 1.0)


def says_something(text: str) -> bool:
    """Whether there is a matter in it at all; "hello?", "在吗" and "??" have none."""
    return bool(_content(text))


def _weigh(items: frozenset[str]) -> float:
    """A word says about as much as a character and a pair together."""
    return sum(1.0 if _HAN.match(item) else 2.0 for item in items)


def _ask_different_things(earlier: str, now: str) -> bool:
    ours, theirs = _kinds(earlier), _kinds(now)
    return bool(ours and theirs) and not ours & theirs


@lru_cache(maxsize=1024)
def _kinds(text: str) -> frozenset[str]:
    plain = fold(text).lower()
    return frozenset(kind for kind, pattern in _KINDS.items() if pattern.search(plain))


@lru_cache(maxsize=1024)
def _content(text: str) -> frozenset[str]:
    """Stemmed English words and Chinese characters and pairs, without fillers."""
    plain = unicodedata.normalize("NFKC", fold(text)).lower()
    for pattern in _KINDS.values():
        plain = pattern.sub(" ", plain)
    items: set[str] = set()
    for word in _WORD.findall(plain):
        if _HAN.match(word):
            for run in _FILLERS_ZH.sub(" ", word).split():
                items.update(run)
                items.update(run[i : i + 2] for i in range(len(run) - 1))
        elif word not in _STOP_EN:
            items.add(_stem(word))
    return frozenset(items)


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word.removesuffix("'s")) or word
    return stem[:-1] if stem[-2:-1] == stem[-1] else stem
