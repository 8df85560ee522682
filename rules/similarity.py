"""How alike two questions are; pure, Chinese and English."""

import re
import unicodedata
from functools import lru_cache

_PAIRS = """
轉转 沒没 問问 題题 請请 幫帮 對对 話话 講讲 這这 個个 們们 嗎吗 來来 麼么 還还 說说
謝谢 為为 經经 負负 責责 領领 導导 聯联 繫系 讓让 絡络 機机 會会 處处 決决 煩烦 專专
員员 給给 開开 關关 訂订 單单 買买 賣卖 貨货 運运 費费 發发 錢钱 時时 間间 後后 裡里
裏里 實实 際际 應应 該该 無无 覺觉 錯错 誤误 聽听 復复 複复 萬万 東东 紅红 藍蓝 顏颜
顧顾 號号 碼码 樣样 幾几 點点 現现 狀状 態态 總总 義义 驗验 證证 賬账 戶户 帳账 郵邮
車车 過过 進进 遠远 選选 長长 門门 學学 習习 電电 腦脑 離离 壞坏 換换 見见 線线 網网
營营 業业 務务 質质 訴诉 認认 識识 誰谁 難难 滿满 價价 優优 倉仓 庫库 體体 熱热 維维
護护 氣气 罵骂 廢废 牽牵 騙骗 動动 風风 龍龙 許许 讀读 寫写 幹干 隻只 雙双 條条 張张
塊块 圖图 尋寻 終终 結结 續续 級级 約约 紙纸 緊紧 綠绿 純纯 細细 組组 絕绝 統统 繼继
產产 適适 達达 連连 週周 遞递 邊边 補补 褲裤 裝装 製制 訊讯 設设 試试 詢询 誠诚 調调
論论 譯译 變变 資资 賠赔 購购 贈赠 軟软 較较 輕轻 鐘钟 頁页 項项 順顺 預预 額额 飛飞
駕驾
"""
"""Traditional and simplified characters, as far as customer service needs them."""
_PUNCTUATION = {
    **{0xFF01 + i: chr(0x21 + i) for i in range(94)},
    ord("’"): "'",
    ord("‘"): "'",
    ord("“"): '"',
    ord("”"): '"',
    ord("　"): " ",
}
_FOLD = str.maketrans({**{ord(pair[0]): pair[1] for pair in _PAIRS.split()}, **_PUNCTUATION})

_FILLERS_ZH = re.compile(
    r"请问|你好|您好|在吗|我想(?:知道|问一?下?)?|想问一?下?|我(?:是)?(?:问|说)的?(?:是)?|我的意思|到底|究竟"
    r"|一下|还是|可以|可不可以|能不能|什么|有没有|是不是|是否|能|会|要|我|你|您|们|的|了|吗|呢|啊|呀|吧|是|在"
    r"|这|那|给|就|也|请|再|又"
)
_STOP_EN = frozenset(
    re.findall(
        r"\w+",
        """a an the i im i'm me my you your we our it its it's this that these those is are was were be been
        am do does did can could would will should may might have has had how what which who whom to of for in
        on at with and or so if then there please pls hi hello hey ok want wanna know need like tell asked
        ask asking mean meant said say just get got again about from really actually s t m ve re d isn aren
        don doesn""",
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
