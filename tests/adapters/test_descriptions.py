"""A description's mistakes: each is told with its place and its cure, before anything is sent."""

from pathlib import Path
from typing import Any

import pytest
from describing import ACME, SETTINGS, Raw, acme, connect, written

from adapters import registry
from adapters.declared.document import DescriptionError
from adapters.errors import Fatal, InvalidSettings

BAD = """\
title: Acme
roles: [helpdesk, dsk]
tier: bronce
feilds: []
fields:
  - name: token
    secret: true
    label: {en: Token, zh: 令牌}
  - name: url
    label: {en: Address}
base_url: ${settings.ur}
auth: {kind: berer, token: "${settings.token}"}
statuses: {new: opened, closed: resolved}
records:
  conversation: {id: it.id, status: it.state ==}
  message:
    id: it.id
    author: it.author
    text: size(it.text) && foo(it.text)
    sent_at: event.at
    private: settings.token == "x"
webhook:
  signature: {header: X-Sig, algoritm: sha1}
  changes:
    - change: message_posted
      when: event.type = "message"
      message: event.message
      conversation: event.conversation
    - change: message_postd
      message: event.message
commands:
  replay:
    requests: []
  reply:
    requests:
      - post: /x/${command.conversation_id}
        query: {a: "${comand.text}"}
"""

FLAWS = {
    "2:19": "`dsk` is none of the words that are known here; did you mean desk?",
    "3:1": "did you mean bronze?",
    "4:1": "`feilds` is unknown here; did you mean fields?",
    "10:5": "`zh` is missing",
    "11:1": "settings.ur is none of the fields; did you mean url?",
    "12:8": "did you mean bearer?",
    "13:12": "`opened` is none of the words that are known here; did you mean open?",
    "15:29": "`it.state ==` can't be read",
    "19:5": "there is no function foo",
    "20:5": "nothing is called event here; there are: it, settings",
    "21:5": "settings.token is secret: it may be sent, but not read here",
    "23:30": "did you mean algorithm?",
    "26:7": "write == to compare",
    "29:7": "did you mean message_posted?",
    "32:3": "`replay` is none of the words that are known here; did you mean reply?",
    "37:17": "nothing is called comand here; did you mean command?",
}


def test_every_mistake_is_told_with_its_place_and_cure(tmp_path: Path) -> None:
    """All at once, in the order of the file."""
    path = written(tmp_path, BAD)
    with pytest.raises(DescriptionError) as caught:
        connect(tmp_path, BAD)
    told = caught.value.flaws
    assert [flaw.removeprefix(f"{path}:").split(": ")[0] for flaw in told] == list(FLAWS)
    for flaw, expected in zip(told, FLAWS.values(), strict=True):
        assert expected in flaw
    assert isinstance(caught.value, Fatal)


def changed(place: str, value: Any) -> Raw:
    """The good description with one part changed; a place is keys with dots."""
    first, _, rest = place.partition(".")
    if not rest:
        return acme(**{first: value})
    return acme(**{first: {**ACME.get(first, {}), rest: value}})


PAGE = {"get": "/t", "items": "answer.items"}
TOGETHER = [
    ("webhook", None, "nothing comes in or goes out: describe a `webhook`, `pages` or `commands`"),
    ("records.conversation", None, "say in `records.conversation` how"),
    ("webhook.signature", {"header": "X", "secret_field": "hook"}, "there is no secret field `hook`"),
    ("webhook.signature", {"header": "X", "secret_field": "bot"}, "there is no secret field `bot`"),
    ("webhook.signature", {"header": "X", "signed": "{setting:key}"}, "{setting:key} is none of the fields"),
    ("webhook.signature", {"header": "X", "parameter": "y"}, "name one"),
    ("webhook.changes", [], "say which changes an event means"),
    ("pages", {"messages": PAGE | {"next": {"by": "number"}}}, "the request never asks for ${page.number}"),
    ("pages", {"messages": PAGE | {"next": {"by": "cursor"}}}, "`cursor` names where the next cursor is"),
    ("pages", {"messages": PAGE | {"order": "oldest"}}, "the request asks for ${page.since}"),
    (
        "pages",
        {"messages": PAGE | {"query": {"p": "${page.number}"}, "next": {"by": "number"}}},
        "say how many a full page holds",
    ),
    ("commands", {"reply": {"requests": []}}, "a command needs one request at least"),
    ("commands", {"reply": {"requests": [{"query": {}}]}}, "a request has one of `get`, `post`"),
    ("commands", {"reply": {"requests": [{"post": "/a", "body": {}, "form": {}}]}}, "not both"),
    ("commands", {"reply": {"requests": [{"post": "/a/${steps.x.id}"}]}}, "no request before this one"),
    ("commands", {"reply": {"requests": [{"post": "/a/${command.id"}]}}, "is not closed by `}`"),
    ("commands", {"reply": {"requests": [{"post": "/a/${}"}]}}, "holds no expression"),
    ("times", {"zone": "Mars/North"}, "write one such as Asia/Shanghai"),
    ("exemptions", {"useful": "no"}, "give a reason that one could judge"),
    (
        "fields",
        [*ACME["fields"], {"name": "description", "label": {"en": "a", "zh": "b"}}],
        "the field `description` names the file itself: call it otherwise",
    ),
    ("errors", [{"when": "answer.code == 5", "is": "retry"}], "did you mean retryable?"),
    ("contract", 9, "upgrade Deskbridge"),
]


@pytest.mark.parametrize(("place", "value", "expected"), TOGETHER)
def test_what_does_not_fit_together_is_told(tmp_path: Path, place: str, value: Any, expected: str) -> None:
    """Missing mappings, endless pages, secrets that nobody declared."""
    description = changed(place, value)
    if place == "records.conversation":
        del description["records"]["conversation"]
    with pytest.raises(DescriptionError) as caught:
        connect(tmp_path, description)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title: [", ":1:9: not YAML"),
        ("- a", "a description is a mapping"),
        ("title: a\ntitle: b", ":2:1: `title` is here twice"),
        ("body: {{a}: b}", "put this text in quotes"),
        ("", "a description is a mapping"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, expected: str) -> None:
    """With its name."""
    with pytest.raises(DescriptionError, match="acme") as caught:
        connect(tmp_path, text)
    assert expected in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """And so is a connection that names none."""
    with pytest.raises(InvalidSettings, match=r"none.*can't be read"):
        registry.build("http", {"description": str(tmp_path / "none.yaml")})
    with pytest.raises(InvalidSettings, match="needs `description`"):
        registry.build("http", {})


def test_a_connections_settings_are_checked_like_a_manifests(tmp_path: Path) -> None:
    """By the fields that the file declares, with their labels."""
    with pytest.raises(InvalidSettings, match=r"'acme' \(Acme\): token is missing; set 'Token' \(令牌\)"):
        connect(tmp_path, ACME, token=None)
    with pytest.raises(InvalidSettings, match="colour is not a setting of Acme"):
        connect(tmp_path, ACME, colour="red")


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    """Neither in the adapter nor in what it is made of."""
    adapter = connect(tmp_path, ACME)
    assert SETTINGS["token"] not in repr(adapter.settings) + repr(adapter) + repr(vars(type(adapter)))


_TENFOLD = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("\n".join(["title: x", "a0: &a0 [x]", *_TENFOLD]), "anchors repeat others: write less"),
        ("title: x\nrecords: &r {customer: *r}\n", "something in it holds itself"),
        (f"title: {'[' * 3000}{']' * 3000}\n", "nested too deeply"),
        ("title: x\nauth:\n\tkind: none\n", ":3:1: not YAML"),
    ],
)
def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path, text: str, cure: str) -> None:
    """At once, with the reason, like any other mistake."""
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    with pytest.raises(DescriptionError, match=cure):
        registry.get("http", {"description": str(path)})
