"""What a customer's words say about the help they are getting; pure, Chinese and English.

Patterns, not a model: each hit is a quotable span, costs microseconds and can be argued with.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from rules.similarity import alike, fold

REPHRASED_AT = 0.5
"""From this likeness on, the customer is asking the same again."""
INSISTING_AT = 0.3
"""The same, for one who says so ("I asked …", "我问的是…")."""


class SignalName(StrEnum):
    """Everything that a verdict may rest on: first the failures, then the successes."""

    ASKED_FOR_PERSON = "asked_for_person"
    DID_NOT_HELP = "did_not_help"
    REPHRASED = "rephrased"
    NOTHING_FOUND = "nothing_found"
    WEAK_GROUNDING = "weak_grounding"
    ANSWER_FAILED = "answer_failed"
    TOOL_FAILED = "tool_failed"
    RETURNED_WITHIN_A_DAY = "returned_within_a_day"
    THANKED = "thanked"
    MOVED_ON = "moved_on"
    CLOSED = "closed"
    SILENCE = "silence"


class Signal(Struct, frozen=True):
    """One sign, with the exact words or event that show it, and how much it weighs (0 to 2)."""

    name: SignalName
    evidence: str
    weight: float = 1.0


_WORDS = r"(?:[\w'-]+ ){0,%d}?"

# --- asking for a person ---

_ROLE = (
    r"(?:humans?(?! ?-?(?:hair|sized?|readable|model|resources))(?: being)?"
    r"|persons?|people|someone|somebody|anyone|anybody|agents?|representatives?(?! sample)|reps?"
    r"|operators?|managers?|supervisors?|advis[eo]rs?|colleagues?|staff|employees?|workers?|whoever"
    r"|customer (?:service|support|care)|support(?: team)?|reception(?:ist)?|sales(?:man|person| team)?)\b"
)
_REAL = r"(?:real|actual|live|living|human|normal|proper|breathing|non-?robotic|non-?bot)"
_MACHINE = (
    r"(?:ro)?bots?|machines?|computers?|ais?|automated (?:system|assistant)|virtual (?:agent|assistant)s?"
)
_WISH = (
    r"(?:want(?:ed)? to|wanna|wish to|like to|love to|need to|prefer to|rather|prefer|let me|let us|allow me to"
    r"|(?:can|could|may|might|can't|cannot|couldn't|should|must) (?:i|we)(?: just| please)?"
    r"|(?:possible|able|way) (?:to|for me to)|how (?:do|can|could) i|until i can|i (?:should|must)|please|just)"
)
_OTHERS_OWN = r"(?:my|his|her|their|alexa|siri|you\b|u\b|me\b|it\b|them\b|friends?|strangers?)"
_PERSON_EN = [
    # talk to a human, speak with one of your agents, chat with somebody from the team
    rf"\b(?:talk|speak|chat|get in touch)(?:ing)? (?:\w+ly )?(?:to|with) "
    rf"(?!(?:an? |the )?(?:{_MACHINE})\b|{_OTHERS_OWN}){_WORDS % 4}{_ROLE}",
    # I want to speak to the workshop
    rf"\b{_WISH} (?:\w+ly )?(?:talk|speak) (?:\w+ly )?(?:to|with) (?:the|your|some of your) "
    rf"(?!(?:\w+ )?(?:{_MACHINE}|speaker|app|device|watch|phone|tv|lamp|toy|doll|assistant)\b)[\w']+(?: \w+)?",
    # transfer me to an agent, put me through with a colleague
    rf"\b(?:transfer|connect|put|pass|hand|forward|redirect|switch|refer|route|send|escalate|get)(?:ing)? "
    rf"(?:me|us|this|it|my \w+)(?: (?:on|over|through|back|straight))? (?:to|with) (?!my\b){_WORDS % 4}{_ROLE}",
    rf"\bput me through\b|\bput (?:an? )?{_ROLE} on\b",
    # get me a human, I need a live agent, give me another person
    rf"\b(?:get|give|find|bring|send|call) (?:me|us) (?:an?(?:other)? |some |the |your )?(?:{_REAL} )*{_ROLE}(?! ?-)",
    rf"\b(?:need|want|demand|request|prefer) (?:an? |some |the |your )?(?:{_REAL} )+{_ROLE}",
    r"\b(?:need|want|demand|request) (?:an? |the )(?:human|person|agent|representative|manager|supervisor)\b"
    r"(?! ?-)(?! (?:hair|code|id|discount|number|sample|who))",
    # a human can help
    rf"\b(?:can|could|will|would|please) (?:please )?(?:an? |some )?(?:{_REAL} )*"
    r"(?:human|person|agent|someone|somebody|someone else|somebody else|anyone) "
    r"(?:please )?(?:else )?(?:(?:from \w+ )?(?:help|assist|contact|call|take over|take a look)\b)(?! with \w+ing)",
    r"\b(?:have|get) (?:someone|somebody|an? (?:agent|person|human|colleague))(?: else)?(?: on the \w+)? to? ?"
    r"(?:help|call|contact|look|confirm|assist)\b",
    r"\bhave (?:someone|somebody) (?:help|call|contact|assist)\b",
    r"\bis (?:there )?(?:an?|any)? ?(?:real |actual |human )?(?:one|person|human|body|anyone|anybody|someone|agent) "
    r"(?:there |here |available )?(?:that |who |whom )?(?:i can|to) (?:talk|speak|chat)",
    r"\b(?:reach|contact) (?:an? |one of |your |the |some )?(?:[\w-]+ )?(?:human|person|agent|representative|manager)s?\b",
    # don't make me talk to a bot
    rf"(?:don't|do not|dont|didn't|not|stop|no more|hate|tired of|sick of|instead of) {_WORDS % 3}"
    rf"(?:(?:talk|speak|chat|discuss|deal|shar)\w*) {_WORDS % 5}(?:{_MACHINE})\b",
    r"\bi (?:don't|do not|dont) (?:want to|wanna) (?:talk|speak|chat) (?:to|with) you\b",
    rf"\bno more (?:{_MACHINE})\b|\bdon't want (?:an? )?(?:{_MACHINE})\b",
    # the words alone
    rf"(?:^|[.,;!?] ?)(?:an? |the |your )?(?:{_REAL} )*(?:human(?: being)?|person|agent|representative|rep|operator"
    r"|manager|supervisor|live chat|customer (?:service|support|care)(?: rep(?:resentative)?)?)s?"
    r"(?: now| here)?(?=(?: please| pls)?\s*(?:$|[.!,]))",
    rf"(?:^|[.,;!?] ?)(?:an? )?(?:{_REAL} )*(?:human|person|agent|representative|rep|operator|manager)s? (?:please|pls)\b",
]
_REFUSED_EN = re.compile(
    r"(?:\b(?:don't|do not|dont|doesn't|didn't|did not|needn't|won't|wouldn't|not|no|never|without|instead of"
    r"|rather than|rather not|before)\b)"
    r"(?: (?:you|i|we|want|need|have|wish|like|care|think|to|really|be|get|even|just|yet|any|an?|the|please|for"
    r"|asking|about|going|trying|bother|rather|put|transfer|connect|me|talk|speak|with))*[ ]?$",
    re.IGNORECASE,
)

_ROLE_ZH = (
    r"(?:人工(?!智能|费|草|皮|合成|降|成本|呼吸|培育|养|湖|钻|宝石|牙|关节|耳蜗|泪|甜味|色素|审核|打磨|缝|制)"
    r"|真人(?!秀|实拍|图|大小|试|发|模特|版|照|拍|穿|[cC][sS])|活人|客服|坐席|专员)"
)
_BOSS_ZH = r"(?:经理|主管|店长|老板|负责人|领导|店主|掌柜)(?!推荐|款|特)"
_PERSON_ZH = [
    rf"转(?:接|到|给|去|一下|个|成|至)*(?:一下|个|你们|在线)?{_ROLE_ZH}",
    r"(?:换|接|上|切|进)(?:一下|个|到|入|通|回)*人工(?!智能|草|皮|费|制)",
    rf"(?:找|叫|喊|联系|呼叫|接通|安排|需要|想要|我要|还是要|给我|换|求|连|有没有|有|能不能|派|请)"
    rf"(?:一下|一个|一位|到|个|位|你们|您们|你们的|的|在线)*{_ROLE_ZH}(?!员?说|态度|电话是|几点|上班)",
    rf"(?:找|叫|喊|联系|让|请|要|跟|和|换)(?:一下|个|你们|您们|你们家|的|那|这)*{_BOSS_ZH}",
    r"(?:跟|和|与)(?:一个|个|你们)?(?:人工|真人|活人|客服|人)(?:客服)?(?:聊|说|谈|讲|沟通|对话|交流)",
    r"(?:找|叫|派|换|让|来|给我)(?:一?个|一?位|你们)?(?:人工|真人|人)(?:来|吧|跟我|和我|给我|处理|解决|帮我|联系我|回复)",
    r"(?:不想|不要|别|不跟|不和|不愿|懒得|拒绝)(?:再|让|用|跟|和|拿|给我|要|个|这)*机器人(?!.{0,3}(?:玩具|套装|配件))",
    r"(?:有没有人|有人吗|有人在吗|没有人吗|人呢|有人工吗|有真人吗)(?!签|取|买)",
    r"(?:^|[\s,。.!?、;~])(?:我?要?)(?:人工|真人|活人|客服)+(?:客服|服务|坐席|专员)*"
    r"(?:人工)*(?:呢|在吗|在不在|在么|吧|啊|谢谢|快点|快|来)?(?=$|[\s,。.!?、;~])",
]
_REFUSED_ZH = re.compile(
    r"(?:(?<!用)不用|(?<!要)不要|别|(?<!需)不需要|(?<!想)不想|不必|无需|无须|没必要|不希望|先不|没说要?|没要|没让你?|不是要|甭|(?<!能)(?<!么)不要?去?)"
    r"(?:再|给我|帮我|让我|我|着急|急着|现在|你|去|要|排队)*$"
)
_PAST_ZH = re.compile(r"(?:已经|刚才|刚刚|上次|昨天|之前|前面|上回)[^,。!?]{0,3}$")

# --- the answer was no use ---

_HELPLESS = [
    r"\b(?:did|does|do|is|was|are|were|has|have|had|would|can|could|will) ?(?:not|n't) (?:really |even |actually |at all |much )*"
    r"(?:help(?:ed|ing|ful)?|useful|answer(?:ed|ing)?|solved?|resolved?|fix(?:ed)?|understand(?:ing)?|listen(?:ing)?)\b",
    r"\b(?:didn't|doesn't|don't|isn't|wasn't|aren't|hasn't|haven't|can't|cannot|won't|not|didnt|doesnt|dont|isnt) "
    r"(?:really |even |actually |at all |much |any |of )*"
    r"(?:help(?:ed|ing|ful)?(?! (?:with|for))|useful|answer(?:ed|ing)? (?:my|the|what)|answering|solv(?:e|ed|ing)|resolved"
    r"|understand(?:ing)? (?:me|my|what|the question)|listening|getting (?:me|it|anywhere))\b",
    r"\byou (?:don't|do not|didn't|dont|just don't) understand\b|\byou (?:misunderst\w+|got (?:me|it) wrong|are not listening)",
    r"\bunhelpful\b|\buseless\b|\bno help\b|\bno use\b|\bpointless\b|\bwaste of time\b|\b(?:that|it|this) did nothing\b",
    r"\b(?:not|isn't|wasn't|n't) what i(?:'m| am| was)? ?(?:have )?(?:ask|mean|meant|want|said|look|need)\w*",
    r"\b(?:not|isn't|wasn't) (?:my question|an answer|the answer|the question|correct|it)\b(?=\s*(?:$|[,.!?]))",
    r"\bwrong (?:answer|reply|information|info|response)\b|\banswer\w* (?:is|was|are) (?:not correct|wrong|incorrect|useless)",
    r"(?:^|[,.!?] ?)(?:no,? ?)?(?:that's|that is|this is|it's|you're|you are)? ?(?:all |completely |totally |just )?"
    r"(?:wrong|incorrect|nonsense)(?=\s*(?:$|[,.!]))",
    r"\bstill (?:not|doesn't|does not|isn't|won't|can't|broken|the same|no luck|nothing|fail)\w*(?: \w+)?",
    r"\b(?:it|that|this) (?:still )?(?:doesn't|does not|didn't|did not|isn't|is not|won't|doesnt|didnt) (?:seem to )?work",
    r"\b(?:i|i've|i have) (?:already|just) (?:tried|told|said|did|done|asked|explained)\b|\balready told you\b"
    r"|\balready (?:done|tried) (?:that|this|it)\b|\btried (?:that|this|it) already\b|\byou already (?:told|said)\b",
    r"\b(?:keep|keeps) (?:saying|repeating|telling|giving|sending)\b|\bsame (?:answer|thing|reply) (?:again|over)",
    r"\bmakes? no sense\b|\bdoesn't make (?:any )?sense\b|\bproblem is(?: still)? not (?:solved|fixed)\b|\bunresolved\b",
    "👎",
    r"(?<![还从都也])没有?(?:啥|什么)?用(?=$|[\s,。.!?~、;啊呀的吧呢嘛吗])|不管用|不顶用|不起作用|(?<!有)没什么用",
    r"(?:没有?|未|还没|并没有?|根本没)(?:给我|帮我|能|得到|被)?(?:解决|答复清楚|说清楚|讲清楚|回答)|解决不了|不解决问题",
    r"答非所问|所答非所问|文不对题|驴唇不对马嘴|牛头不对马嘴|鸡同鸭讲|风马牛不相及",
    r"(?:我)?(?:问|说|要|想|指)的(?:也|并|根本)?不是|不是(?:我)?(?:要|想|在)?(?:问|想要|要)(?:的|这)|不是我(?:问|想|要)"
    r"|不是这个(?:意思|问题)|不是问(?:你)?(?:这|那)|不是我?(?:说|问)的",
    r"(?:没|不|没有)(?:听懂|看懂|明白|理解|懂)(?:我|人话|问题|啊|吗)?|听不懂|理解错|理解有误|搞错(?:了|我)|看不懂人话",
    r"说了等于没说|等于没说|白说|跟没说一样|废话|胡说|瞎说|什么鬼|你在说什么|乱答|乱回|敷衍|糊弄",
    r"还是(?:不行|不能|不会|不对|不可以|没用|没好|没有用|没反应|这样|老样子|一样|用不了|打不开|登不上|失败)",
    r"(?:没有?|毫无|无)(?:任何|一点|什么|啥)?帮助|一点(?:帮助|用)(?:都|也)没|帮不(?:上|到|了)",
    r"(?:回答|答|说|回复|讲)(?:的|得)?(?:是)?(?:错|不对|有误|不准)|(?:^|[\s,。!])不对(?=$|[\s,。!啊呀])|不是我想要的",
    r"(?:垃圾|智障|傻|蠢|笨)(?:机器人|客服|回答|玩意)|老是?重复|一直重复|同样的(?:话|回答)|车轱辘话",
]
_NOT_HELPLESS = re.compile(
    r"(?:if|whether|in case|what happens when|如果|要是|万一|会不会|是不是)[^,.;!?，。]{0,24}$", re.IGNORECASE
)

# --- it helped ---

_THANKS = [
    r"(?<!no )(?<!no, )\b(?:thanks|thank (?:you|u)|thx|tysm|ty|cheers|much appreciated|appreciate it)\b(?! card| for nothing)",
    r"\b(?:that|this|it|which|code|yes|now)?'?s? ?(?:works|worked|works now|working now)\b(?= ?(?:$|[,.!]|now|perfectly|great|fine|well|thank|ty))",
    r"\b(?:that|this|it|yes that|you|you've)(?:'s| is| has| have| was)? ?(?:been )?(?:really |very |so |just |totally |super )*"
    r"(?:helps|helped|helpful|solved|solves|fixed|fixes|did the trick|does the trick|answers my question)\b",
    r"\b(?:problem|issue|it's|all|is|now)? ?\b(?:solved|sorted|fixed)(?=\s*(?:$|[,.!]))|\b(?:perfect|awesome|brilliant|excellent|wonderful)\b"
    r"|\bgot it\b|\bexactly what i (?:needed|wanted|was looking for)\b|(?:^|[,.!] ?)great(?=\s*(?:$|[,.!]))",
    "👍|🙏|❤️?|👌",
    r"谢谢(?!参与|惠顾|卡)|多谢|感谢|谢啦|谢了|谢过|辛苦(?:了|啦)|非常感激|3[qQ]\b",
    r"(?<!没)(?<!没有)(?<!未)(?<!能)(?<!有)(?<!何时)(?<!时候)(?:解决|搞定|弄好|搞好)(?:啦|了)(?!吗|么|没)|(?:已经|都)解决",
    r"(?:^|[\s,。!]|好的|好|嗯|哦|噢|ok)(?:我)?(?:明白|懂|知道|了解|清楚|收到|可以|好)(?:了|啦)(?!吗|么|没|啊?\?)(?=$|[\s,。!~谢啊])",
    r"(?:可以用|能用|好用|管用|有用)(?:了|啦)?(?=$|[\s,。!~谢])|太好了|太棒了|(?<!不)(?<!没)帮(?:到|了)?(?:我)?大忙|给力",
    r"(?:^|[\s,。!])收到(?=$|[\s,。!~谢])|(?:^|[\s,。!])明白(?=$|[\s,。!~谢])",
]
_BUT = re.compile(r"\b(?:but|however|though)\b|但是|可是|不过|然而|(?<!不)但(?!愿)", re.IGNORECASE)
_INSISTS = re.compile(
    r"\b(?:i (?:mean|meant|asked|said|was asking)|as i said|again|i repeat)\b|我(?:是)?(?:说|问)的?(?:是)?|我的意思|我是说|再问|再说一遍|到底",
    re.IGNORECASE,
)


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_ASKS_EN, _ASKS_ZH = _compiled(_PERSON_EN), _compiled(_PERSON_ZH)
_SAYS_HELPLESS, _SAYS_THANKS = _compiled(_HELPLESS), _compiled(_THANKS)
_ABOUT_MACHINES = re.compile(rf"(?:{_MACHINE})\b|to you\b|with you\b", re.IGNORECASE)
_IDENTITY = re.compile(r"\b(?:are you|is this|am i|r u)\b[^.!?]{0,24}$", re.IGNORECASE)
_LONGEST = 4000


def _found(name: SignalName, text: str, match: re.Match[str]) -> Signal:
    return Signal(name, text[match.start() : match.end()].strip(" \t\n,.;!?~，。、；！？"))


def asked_for_person(text: str) -> Signal | None:
    """The customer wants a person, in so many words."""
    plain = fold(text)[:_LONGEST]
    for match in _ASKS_EN.finditer(plain):
        before = plain[: match.start()]
        about_machines = _ABOUT_MACHINES.search(match.group())
        if about_machines or not (_REFUSED_EN.search(before) or _IDENTITY.search(before)):
            return _found(SignalName.ASKED_FOR_PERSON, text, match)
    for match in _ASKS_ZH.finditer(plain):
        before = plain[: match.start()]
        if "机器人" in match.group() or not (_REFUSED_ZH.search(before) or _PAST_ZH.search(before)):
            return _found(SignalName.ASKED_FOR_PERSON, text, match)
    return None


def did_not_help(text: str) -> Signal | None:
    """The customer says that the answer was no use."""
    plain = fold(text)[:_LONGEST]
    for match in _SAYS_HELPLESS.finditer(plain):
        if not _NOT_HELPLESS.search(plain[: match.start()]):
            return _found(SignalName.DID_NOT_HELP, text, match)
    return None


def thanked(text: str) -> Signal | None:
    """The customer is satisfied; thanks that a "but" or a complaint takes back don't count."""
    plain = fold(text)[:_LONGEST]
    match = _SAYS_THANKS.search(plain)
    if match is None or _BUT.search(plain, match.end()) or did_not_help(text):
        return None
    return _found(SignalName.THANKED, text, match)


def rephrased(earlier: str, now: str) -> Signal | None:
    """`now` asks again what `earlier` asked; the evidence is the earlier text."""
    threshold = INSISTING_AT if _INSISTS.search(fold(now)) else REPHRASED_AT
    if alike(earlier, now) >= threshold:
        return Signal(SignalName.REPHRASED, earlier)
    return None
