"""The phrases by which customers are understood, in Chinese and English.

One alternative per line; an indented line continues the one above it; %NAME% stands for a fragment.
"""

import re

_FRAGMENTS = {
    "ROLE": r"""
(?:humans?(?! ?-?(?:hair|sized?|readable|model|resources))(?: being)?|persons?|people|someone|somebody
    |anyone|anybody|agents?|representatives?(?! sample)|reps?|operators?|managers?|supervisors?|advis[eo]rs?
    |colleagues?|staff|employees?|workers?|whoever|customer (?:service|support|care)|support(?: team)?
    |reception(?:ist)?|sales(?:man|person| team)?)\b
""",
    "REAL": r"""
(?:real|actual|live|living|human|normal|proper|breathing|non-?robotic|non-?bot)
""",
    "MACHINE": r"""
(?:ro)?bots?|machines?|computers?|ais?|automated (?:system|assistant)|virtual (?:agent|assistant)s?
""",
    "WISH": r"""
(?:want(?:ed)? to|wanna|wish to|like to|love to|need to|prefer to|rather|prefer|let me|let us
    |allow me to|(?:can|could|may|might|can't|cannot|couldn't|should|must) (?:i|we)(?: just| please)?|
    (?:possible|able|way) (?:to|for me to)|how (?:do|can|could) i|until i can|i (?:should|must)|please|just)
""",
    "OTHERS_OWN": r"""
(?:my|his|her|their|alexa|siri|you\b|u\b|me\b|it\b|them\b|friends?|strangers?)
""",
    "ROLE_ZH": r"""
(?:人工(?!智能|费|草|皮|合成|降|成本|呼吸|培育|养|湖|钻|宝石|牙|关节|耳蜗|泪|甜味|色素|审核|打磨|缝|制)
    |真人(?!秀|实拍|图|大小|试|发|模特|版|照|拍|穿|[cC][sS])|活人|客服|坐席|专员)
""",
    "BOSS_ZH": r"""
(?:经理|主管|店长|老板|负责人|领导|店主|掌柜)(?!推荐|款|特)
""",
    "UP_TO_3_WORDS": r"(?:[\w'-]+ ){0,3}?",
    "UP_TO_4_WORDS": r"(?:[\w'-]+ ){0,4}?",
    "UP_TO_5_WORDS": r"(?:[\w'-]+ ){0,5}?",
}


def _phrases(source: str) -> re.Pattern[str]:
    joined = re.sub(r"\n +", "", source.strip())
    alternatives = (f"(?:{line})" for line in joined.split("\n"))
    return re.compile(re.sub(r"%(\w+)%", _fragment, "|".join(alternatives)), re.IGNORECASE)


def _fragment(name: re.Match[str]) -> str:
    return re.sub(r"\n +", "", _FRAGMENTS[name[1]].strip())


ASKS_FOR_PERSON_EN = _phrases(r"""
\b(?:talk|speak|chat|get in touch)(?:ing)? (?:\w+ly )?(?:to|with) (?!(?:an? |the )?(?:%MACHINE%)\b|
    %OTHERS_OWN%)%UP_TO_4_WORDS%%ROLE%
\b%WISH% (?:\w+ly )?(?:talk|speak) (?:\w+ly )?(?:to|with) (?:the|your|some of your) (?!(?:\w+ )?(?:
    %MACHINE%|speaker|app|device|watch|phone|tv|lamp|toy|doll|assistant)\b)[\w']+(?: \w+)?
\b(?:transfer|connect|put|pass|hand|forward|redirect|switch|refer|route|send|escalate|get)(?:ing)? (?:me
    |us|this|it|my \w+)(?: (?:on|over|through|back|straight))? (?:to|with) (?!my\b)%UP_TO_4_WORDS%%ROLE%
\bput me through\b
\bput (?:an? )?%ROLE% on\b
\b(?:get|give|find|bring|send|call) (?:me|us) (?:an?(?:other)? |some |the |your )?(?:%REAL% )*%ROLE%
    (?! ?-)
\b(?:need|want|demand|request|prefer) (?:an? |some |the |your )?(?:%REAL% )+%ROLE%
\b(?:need|want|demand|request) (?:an? |the )(?:human|person|agent|representative|manager|supervisor)\b
    (?! ?-)(?! (?:hair|code|id|discount|number|sample|who))
\b(?:can|could|will|would|please) (?:please )?(?:an? |some )?(?:%REAL% )*(?:human|person|agent|someone
    |somebody|someone else|somebody else|anyone) (?:please )?(?:else )?(?:(?:from \w+ )?(?:help|assist
    |contact|call|take over|take a look)\b)(?! with \w+ing)
\b(?:have|get) (?:someone|somebody|an? (?:agent|person|human|colleague))(?: else)?(?: on the \w+)? to? ?
    (?:help|call|contact|look|confirm|assist)\b
\bhave (?:someone|somebody) (?:help|call|contact|assist)\b
\bis (?:there )?(?:an?|any)? ?(?:real |actual |human )?(?:one|person|human|body|anyone|anybody|someone
    |agent) (?:there |here |available )?(?:that |who |whom )?(?:i can|to) (?:talk|speak|chat)
\b(?:reach|contact) (?:an? |one of |your |the |some )?(?:[\w-]+ )?(?:human|person|agent|representative
    |manager)s?\b
(?:don't|do not|dont|didn't|not|stop|no more|hate|tired of|sick of|instead of) %UP_TO_3_WORDS%(?:(?:talk
    |speak|chat|discuss|deal|shar)\w*) %UP_TO_5_WORDS%(?:%MACHINE%)\b
\bi (?:don't|do not|dont) (?:want to|wanna) (?:talk|speak|chat) (?:to|with) you\b
\bno more (?:%MACHINE%)\b
\bdon't want (?:an? )?(?:%MACHINE%)\b
(?:^|[.,;!?] ?)(?:an? |the |your )?(?:%REAL% )*(?:human(?: being)?|person|agent|representative|rep
    |operator|manager|supervisor|live chat|customer (?:service|support|care)(?: rep(?:resentative)?)?)s?
    (?: now| here)?(?=(?: please| pls)?\s*(?:$|[.!,]))
(?:^|[.,;!?] ?)(?:an? )?(?:%REAL% )*(?:human|person|agent|representative|rep|operator
    |manager)s? (?:please|pls)\b
""")
"""English wishes for a person; `REFUSES_PERSON_EN` before one takes it back."""

REFUSES_PERSON_EN = _phrases(r"""
(?:\b(?:don't|do not|dont|doesn't|didn't|did not|needn't|won't|wouldn't|not|no|never|without|instead of
    |rather than|rather not|before)\b)(?: (?:you|i|we|want|need|have|wish|like|care|think|to|really|be|get
    |even|just|yet|any|an?|the|please|for|asking|about|going|trying|bother|rather|put|transfer|connect|me
    |talk|speak|with))*[ ]?$
""")

ASKS_FOR_PERSON_ZH = _phrases(r"""
转(?:接|到|给|去|一下|个|成|至)*(?:一下|个|你们|在线)?%ROLE_ZH%
(?:换|接|上|切|进)(?:一下|个|到|入|通|回)*人工(?!智能|草|皮|费|制)
(?:找|叫|喊|联系|呼叫|接通|安排|需要|想要|我要|还是要|给我|换|求|连|有没有|有|能不能|派|请)(?:一下|一个
    |一位|到|个|位|你们|您们|你们的|的|在线)*%ROLE_ZH%(?!员?说|态度|电话是|几点|上班)
(?:找|叫|喊|联系|让|请|要|跟|和|换)(?:一下|个|你们|您们|你们家|的|那|这)*%BOSS_ZH%
(?:跟|和|与)(?:一个|个|你们)?(?:人工|真人|活人|客服|人)(?:客服)?(?:聊|说|谈|讲|沟通|对话|交流)
(?:找|叫|派|换|让|来|给我)(?:一?个|一?位|你们)?(?:人工|真人|人)(?:来|吧|跟我|和我|给我|处理|解决|帮我
    |联系我|回复)
(?:不想|不要|别|不跟|不和|不愿|懒得|拒绝)(?:再|让|用|跟|和|拿|给我|要|个|这)*机器人(?!.{0,3}(?:玩具|套装
    |配件))
(?:有没有人|有人吗|有人在吗|没有人吗|人呢|有人工吗|有真人吗)(?!签|取|买)
(?:^|[\s,。.!?、;~])(?:我?要?)(?:人工|真人|活人|客服)+(?:客服|服务|坐席|专员)*(?:人工)*(?:呢|在吗|在不在
    |在么|吧|啊|谢谢|快点|快|来)?(?=$|[\s,。.!?、;~])
""")
"""Chinese wishes for a person, in simplified characters and plain punctuation."""

REFUSES_PERSON_ZH = _phrases(r"""
(?:(?<!用)不用|(?<!要)不要|(?<!特)别|(?<!需)不需要|(?<!想)不想|不必|无需|无须|没必要|不希望|先不|我不|甭
    |没说要?|没要|没让你?|不是要)(?:再|给我|帮我|让我|我|着急|急着|现在|你|去|要|排队)*$
(?<![能么还])不$
""")

SPEAKS_OF_THE_PAST_ZH = _phrases(r"""
(?:已经|刚才|刚刚|上次|昨天|之前|前面|上回)[^,。!?]{0,3}$
""")

SAYS_IT_DID_NOT_HELP = _phrases(r"""
\b(?:did|does|do|is|was|are|were|has|have|had|would|can|could|will) ?(?:not
    |n't) (?:really |even |actually |at all |much )*(?:help(?:ed|ing|ful)?|useful|answer(?:ed|ing)?|solved?
    |resolved?|fix(?:ed)?|understand(?:ing)?|listen(?:ing)?)\b
\b(?:didn't|doesn't|don't|isn't|wasn't|aren't|hasn't|haven't|can't|cannot|won't|not|didnt|doesnt|dont
    |isnt) (?:really |even |actually |at all |much |any |of )*(?:help(?:ed|ing|ful)?(?! (?:with|for))|useful
    |answer(?:ed|ing)? (?:my|the|what)|answering|solv(?:e|ed|ing)|resolved|understand(?:ing)? (?:me|my|what
    |the question)|listening|getting (?:me|it|anywhere))\b
\byou (?:don't|do not|didn't|dont|just don't) understand\b
\byou (?:misunderst\w+|got (?:me|it) wrong|are not listening)
\bunhelpful\b
\buseless\b
\bno help\b
\bno use\b
\bpointless\b
\bwaste of time\b
\b(?:that|it|this) did nothing\b
\b(?:not|isn't|wasn't|n't) what i(?:'m| am| was)? ?(?:have )?(?:ask|mean|meant|want|said|look|need)\w*
\b(?:not|isn't|wasn't) (?:my question|an answer|the answer|the question|correct|it)\b(?=\s*(?:$|[,.!?]))
\bwrong (?:answer|reply|information|info|response)\b
\banswer\w* (?:is|was|are) (?:not correct|wrong|incorrect|useless)
(?:^|[,.!?] ?)(?:no,? ?)?(?:that's|that is|this is|it's|you're|you are)? ?
    (?:all |completely |totally |just )?(?:wrong|incorrect|nonsense)(?=\s*(?:$|[,.!]))
\bstill (?:not|doesn't|does not|isn't|won't|can't|broken|the same|no luck|nothing|fail)\w*(?: \w+)?
\b(?:it|that|this) (?:still )?(?:doesn't|does not|didn't|did not|isn't|is not|won't|doesnt
    |didnt) (?:seem to )?work
\b(?:i|i've|i have) (?:already|just) (?:tried|told|said|did|done|asked|explained)\b
\balready told you\b
\balready (?:done|tried) (?:that|this|it)\b
\btried (?:that|this|it) already\b
\byou already (?:told|said)\b
\b(?:keep|keeps) (?:saying|repeating|telling|giving|sending)\b
\bsame (?:answer|thing|reply) (?:again|over)
\bmakes? no sense\b
\bdoesn't make (?:any )?sense\b
\bproblem is(?: still)? not (?:solved|fixed)\b
\bunresolved\b
👎
(?<![还从都也])没有?(?:啥|什么)?用(?=$|[\s,。.!?~、;啊呀的吧呢嘛吗])
不管用
不顶用
不起作用
(?<!有)没什么用
(?:没有?|未|还没|并没有?|根本没)(?:给我|帮我|能|得到|被)?(?:解决|答复清楚|说清楚|讲清楚|回答)
解决不了
不解决问题
答非所问
所答非所问
文不对题
驴唇不对马嘴
牛头不对马嘴
鸡同鸭讲
风马牛不相及
(?:我)?(?:问|说|要|想|指)的(?:也|并|根本)?不是
不是(?:我)?(?:要|想|在)?(?:问|想要|要)(?:的|这)
不是我(?:问|想|要)
不是这个(?:意思|问题)
不是问(?:你)?(?:这|那)
不是我?(?:说|问)的
(?:没|不|没有)(?:听懂|看懂|明白|理解|懂)(?:我|人话|问题|啊|吗)?
听不懂
理解错
理解有误
搞错(?:了|我)
看不懂人话
说了等于没说
等于没说
白说
跟没说一样
废话
胡说
瞎说
什么鬼
你在说什么
乱答
乱回
敷衍
糊弄
还是(?:不行|不能|不会|不对|不可以|没用|没好|没有用|没反应|这样|老样子|一样|用不了|打不开|登不上|失败)
(?:没有?|毫无|无)(?:任何|一点|什么|啥)?帮助
一点(?:帮助|用)(?:都|也)没
帮不(?:上|到|了)
(?:回答|答|说|回复|讲)(?:的|得)?(?:是)?(?:错|不对|有误|不准)
(?:^|[\s,。!])不对(?=$|[\s,。!啊呀])
不是我想要的
(?:垃圾|智障|傻|蠢|笨)(?:机器人|客服|回答|玩意)
老是?重复
一直重复
同样的(?:话|回答)
车轱辘话
""")
"""Complaints about an answer, in both languages."""

ONLY_SUPPOSES = _phrases(r"""
(?:if|whether|in case|what happens when|如果|要是|万一|会不会|是不是)[^,.;!?，。]{0,24}$
""")

SAYS_THANKS = _phrases(r"""
(?<!no )(?<!no, )\b(?:thanks|thank (?:you|u)|thx|tysm|ty|cheers|much appreciated|appreciate it)\b
    (?! card| for nothing)
\b(?:that|this|it|yes|now)?'?s? ?(?:works|worked|works now|working now)\b(?= ?(?:$|[,.!]|now
    |perfectly|great|fine|well|thank|ty))
\b(?:that|this|it|yes that|you|you've)(?:'s| is| has| have| was)? ?(?:been )?
    (?:really |very |so |just |totally |super )*(?:helps|helped|helpful|solved|solves|fixed|fixes
    |did the trick|does the trick|answers my question)\b
\b(?:problem|issue|it's|all|is|now)? ?\b(?:solved|sorted|fixed)(?=\s*(?:$|[,.!]))
\b(?:perfect|awesome|brilliant|excellent|wonderful)\b
\bgot it\b
\bexactly what i (?:needed|wanted|was looking for)\b
(?:^|[,.!] ?)great(?=\s*(?:$|[,.!]))
👍
🙏
❤️?
👌
谢谢(?!参与|惠顾|卡)
多谢
感谢
谢啦
谢了
谢过
辛苦(?:了|啦)
非常感激
3[qQ]\b
(?<!没)(?<!没有)(?<!未)(?<!能)(?<!有)(?<!何时)(?<!时候)(?:解决|搞定|弄好|搞好)(?:啦|了)(?!吗|么|没)
(?:已经|都)解决
(?:^|[\s,。!]|好的|好|嗯|哦|噢|ok)(?:我)?(?:明白|懂|知道|了解|清楚|收到|可以|好)(?:了|啦)(?!吗|么|没
    |啊?\?)(?=$|[\s,。!~谢啊])
(?:可以用|能用|好用|管用|有用)(?:了|啦)?(?=$|[\s,。!~谢])
太好了
太棒了
(?<!不)(?<!没)帮(?:到|了)?(?:我)?大忙
给力
(?:^|[\s,。!])收到(?=$|[\s,。!~谢])
(?:^|[\s,。!])明白(?=$|[\s,。!~谢])
""")
"""Contentment, in both languages."""

SAYS_BUT = _phrases(r"""
\b(?:but|however|though)\b
但是
可是
不过
然而
(?<!不)但(?!愿)
""")

INSISTS = _phrases(r"""
\b(?:i (?:mean|meant|asked|said|was asking)|as i said|again|i repeat)\b
我(?:是)?(?:说|问)的?(?:是)?
我的意思
我是说
再问
再说一遍
到底
""")
""""I asked …": whoever says so is repeating themselves."""

ABOUT_MACHINES = _phrases(r"""
(?:%MACHINE%)\b
(?:to|with) you\b
机器人
""")
"""A wish to be rid of a machine, which no refusal before it takes back."""

ASKS_WHO_IT_IS = _phrases(r"\b(?:are you|is this|am i|r u)\b[^.!?]{0,24}$")
