"""What customers and agents do, drawn from a seed. Pure."""

import random
from collections.abc import Callable, Sequence

from msgspec import Struct

QUESTIONS = {
    "en": (
        "How long does shipping take?",
        "When will I get my refund?",
        "How do I get an invoice?",
        "Can I pay with PayPal?",
        "How do I track my parcel?",
        "Do I have to pay customs duties?",
        "I forgot my password",
        "How do I cancel my order?",
        "How do points work?",
        "How do I return an item?",
        "How do I delete my account?",
        "How much is shipping?",
    ),
    "zh": (
        "支持七天无理由退货吗",
        "优惠券怎么用",
        "积分会过期吗",
        "中了福袋怎么领",
        "怎么开发票",
        "可以寄到国外吗",
        "退款多久到账",
        "鞋子偏码吗",
        "怎么取消订单",
        "付款失败怎么办",
        "怎么换绑手机号",
        "可以机洗吗",
    ),
}
UNKNOWN = {
    "en": (
        "My violin strings snapped in the orchestra pit",
        "Which luthier in Vienna repairs baroque bows?",
        "Do you tune harpsichords on Sundays?",
    ),
    "zh": ("陨石手表走时不准怎么校表", "火星上的土豆几月播种", "恐龙化石怎么上漆"),
}
GREETING = {"en": "Hi", "zh": "在吗"}
PERSON = {"en": "I want to talk to a human", "zh": "转人工"}
MEANWHILE = {"en": "And one more thing", "zh": "还有一件事"}
CHANNELS = ("chat", "direct_message", "live", "email", "chat")


class Says(Struct, frozen=True, kw_only=True, tag=True):
    """The customer writes a burst; `waits`: and goes on only once somebody has answered, or taken over."""

    texts: tuple[str, ...]
    gaps: tuple[float, ...] = ()
    waits: bool = True


class AgentSays(Struct, frozen=True, kw_only=True, tag=True):
    """A person writes in the helpdesk's own window."""

    after: float
    agent: str
    text: str


class AgentAssigned(Struct, frozen=True, kw_only=True, tag=True):
    """The helpdesk gives the conversation to a person."""

    after: float
    agent: str


class AgentSets(Struct, frozen=True, kw_only=True, tag=True):
    """A person sets the status in the helpdesk's own window."""

    after: float
    status: str


class DeskWorks(Struct, frozen=True, tag=True):
    """The customer waits until the in-house desk has resolved or returned it."""


class Pauses(Struct, frozen=True, tag=True):
    """Nothing happens for so many seconds."""

    seconds: float


Step = Says | AgentSays | AgentAssigned | AgentSets | DeskWorks | Pauses


class Story(Struct, frozen=True, kw_only=True):
    """One conversation: which vendor (by number), how, and what happens in it."""

    number: int
    vendor: int
    language: str
    channel: str
    kind: str
    steps: tuple[Step, ...]


class _Author:
    """Draws the steps of one story; no question comes twice in it."""

    def __init__(self, dice: random.Random, language: str, number: int) -> None:
        self.dice = dice
        self.language = language
        self._questions = dice.sample(QUESTIONS[language], len(QUESTIONS[language]))
        self._number = number
        self._words = 0

    def asks(self) -> Says:
        """A question, sometimes after a greeting, as people write."""
        question = self._questions.pop()
        if self.dice.random() < 0.2:
            return Says(texts=(GREETING[self.language], question), gaps=(self.dice.uniform(0.02, 0.5),))
        return Says(texts=(question,))

    def agent(self, longest: float) -> AgentSays:
        """A person's word, within so many seconds."""
        self._words += 1
        return AgentSays(
            after=self._soon(longest),
            agent=self.dice.choice(("agent_1", "agent_2", "agent_3")),
            text=f"A person speaks ({self._number}.{self._words})",
        )

    def resolves(self) -> AgentSets:
        """A person closes it."""
        return AgentSets(after=self._soon(3.0), status="resolved")

    def pauses(self) -> Pauses:
        """The customer is away."""
        return Pauses(round(self.dice.uniform(0.2, 4.0), 3))

    def _soon(self, longest: float) -> float:
        return round(self.dice.uniform(0.0, longest), 3)

    def meanwhile(self) -> Says:
        """The customer goes on while a person has the conversation."""
        return Says(texts=(MEANWHILE[self.language],), waits=False)

    def wants_person(self) -> Says:
        """The customer asks for a person."""
        return Says(texts=(PERSON[self.language],))


def _asking(author: _Author) -> list[Step]:
    steps: list[Step] = []
    for _ in range(author.dice.randint(1, 3)):
        steps += [author.asks(), author.pauses()]
    return steps


def _closed_and_back(author: _Author) -> list[Step]:
    return [author.asks(), author.resolves(), author.pauses(), author.asks()]


def _person(author: _Author) -> list[Step]:
    before: list[Step] = [author.asks()] if author.dice.random() < 0.5 else []
    return [*before, author.wants_person(), DeskWorks(), author.pauses(), author.asks()]


def _nothing_helps(author: _Author) -> list[Step]:
    asked = [Says(texts=(text,)) for text in UNKNOWN[author.language]]
    return [*asked, DeskWorks(), author.pauses(), author.asks()]


def _interrupted(author: _Author) -> list[Step]:
    asked = author.asks()
    return [
        Says(texts=asked.texts, gaps=asked.gaps, waits=False),
        author.agent(1.2),
        author.meanwhile(),
        author.agent(2.0),
        author.resolves(),
        author.pauses(),
        author.asks(),
    ]


def _taken(author: _Author) -> list[Step]:
    wanted = author.wants_person()
    return [
        Says(texts=wanted.texts, waits=author.dice.random() < 0.5),
        author.agent(2.0),
        author.meanwhile(),
        author.resolves(),
        author.pauses(),
        author.asks(),
    ]


def _before_we_speak(author: _Author, happens: Callable[[float], Step]) -> list[Step]:
    """The customer asks, and while we prepare an answer an agent does something."""
    asked = author.asks()
    return [
        Says(texts=asked.texts, gaps=asked.gaps, waits=False),
        happens(round(author.dice.uniform(0.0, 1.2), 3)),
        author.meanwhile(),
        author.agent(2.0),
        author.resolves(),
        author.pauses(),
        author.asks(),
    ]


def _assigned(author: _Author) -> list[Step]:
    return _before_we_speak(author, lambda after: AgentAssigned(after=after, agent="agent_2"))


def _opened(author: _Author) -> list[Step]:
    return _before_we_speak(author, lambda after: AgentSets(after=after, status="open"))


KINDS: dict[str, tuple[int, Callable[[_Author], list[Step]]]] = {
    "asks": (30, _asking),
    "closed and back": (8, _closed_and_back),
    "wants a person": (15, _person),
    "nothing helps": (6, _nothing_helps),
    "interrupted": (24, _interrupted),
    "taken from the desk": (9, _taken),
    "assigned": (4, _assigned),
    "opened": (4, _opened),
}


def write_story(seed: int, number: int, *, vendors: int) -> Story:
    """The story of conversation `number`."""
    dice = random.Random(f"story-{seed}-{number}")
    kind = dice.choices(list(KINDS), weights=[weight for weight, _ in KINDS.values()])[0]
    language = dice.choice(("en", "zh"))
    author = _Author(dice, language, number)
    return Story(
        number=number,
        vendor=number % vendors,
        language=language,
        channel=dice.choice(CHANNELS),
        kind=kind,
        steps=tuple(KINDS[kind][1](author)),
    )


def arrivals(seed: int, count: int, seconds: float) -> Sequence[float]:
    """When each conversation begins."""
    dice = random.Random(f"arrivals-{seed}")
    return sorted(dice.uniform(0.0, seconds) for _ in range(count))
