"""Mistakes that authors make in a description: each is refused when it is loaded, at its line, with its cure.

Nearly all of them would otherwise give nothing, silently, until a customer's message is lost by them.
"""

from pathlib import Path

import pytest
from describing import Vendor, written

from adapters import registry
from adapters.contract import Adapter
from adapters.declared.document import DescriptionError

GOOD = """\
title: Acme Chat
roles: [helpdesk]
tier: bronze
fields:
  - {name: api_key, secret: true, label: {en: Key, zh: 密钥}}
  - {name: webhook_secret, secret: true, label: {en: Secret, zh: 密钥}}
limits: [{requests: 120, seconds: 60}]
base_url: https://api.acme-chat.example/v1
headers: {X-Client: deskbridge}
auth: {kind: bearer, token: "${settings.api_key}"}
check: {get: /me, says: answer.company}
times: {unit: s}
statuses: {robot: pending, staff: open, over: resolved}
records:
  customer: {id: it.uid, name: it.nick}
  conversation: {id: it.no, status: it.state}
  message:
    id: it.no
    author: it.role
    text: it.body
    sent_at: it.ts
webhook:
  signature:
    header: X-Sign
    signed: "{timestamp}.{body}"
    timestamp_header: X-Time
    minutes: 5
  key: event.event_id
  reply: {status: 200}
  unavailable: 503
  changes:
    - change: message_posted
      when: event.event.matches("message[.]new")
      message: event.msg
      conversation: event.chat
pages:
  messages:
    get: /chats/${conversation_id}/messages
    query: {after: "${page.cursor}"}
    items: answer.items
    next: {by: cursor, cursor: answer.next}
commands:
  reply:
    requests:
      - post: /chats/${command.conversation_id}/reply
        body: {text: "${text}", ref: "${command.key}"}
        as: said
    yields: {id: steps.said.no}
  set_status:
    requests:
      - put: /chats/${command.conversation_id}
        body: {state: "${status}"}
find:
  customer:
    email: {get: /visitors, query: {mail: "${query.identity.value}"}, found: answer}
errors:
  - {when: answer.err == "chat_over", is: rejected, reason: answer.err}
"""

MISTAKES = [
    # Names that are never there.
    ('ref: "${command.key}', 'ref: "${command.kee}', "there is no command.kee; did you mean key?"),
    ("id: steps.said.no", "id: steps.sad.no", "there is no steps.sad here; no request before this one"),
    ('text: "${text}"', 'text: "${txt}"', "nothing is called txt here; did you mean text?"),
    ('text: "${text}"', 'text: "${status}"', "nothing is called status here; there are: command"),
    ("conversation_id}/reply", "person.nam}/reply", "there is no command.person.nam; did you mean name?"),
    ('mail: "${query.identity.value}"', 'mail: "${query.email}"', "there is no query.email"),
    ("${page.cursor}", "${page.cursr}", "there is no page.cursr here; did you mean cursor?"),
    ("${page.cursor}", "${page.cursor}${page.size}", "say in `size` how many a full page holds"),
    ("${page.cursor}", "${page.cursor}${page.since}", "say `order: oldest`"),
    ("${conversation_id}/messages", "${command.conversation_id}/messages", "nothing is called command here"),
    ("${command.conversation_id}/reply", "${conversation_id}/reply", "write command.conversation_id"),
    ("reason: answer.err", "reason: command.key", "nothing is called command here"),
    ("message: event.msg", "message: it.msg", "`each` names the list of which `it` is one"),
    ("X-Client: deskbridge", 'X-Client: "${nonce}"', "it can be read in the `query` of `auth` only"),
    # Expressions.
    ("message[.]new", "(message", '"(message" is no regular expression: unclosed group'),
    ("message[.]new", "(?=m)message", "is no regular expression: look-around"),
    ('event.event.matches("message[.]new")', 'matches(event.event, "m")', "write it.text.matches("),
    ("text: it.body", "text: $.message.body", "this is no JSONPath: write it.author.name"),
    ("text: it.body", 'text: "it.items[*].body"', "this is no JSONPath"),
    ("text: it.body", "text: it.message-body", 'a name with a dash is read as ["message-body"]'),
    ("text: it.body", "text: join(it.lines)", "join takes 2, and is given 1: write join(list, between)"),
    ("text: it.body", "text: len(it.body)", "there is no function len; did you mean size?"),
    ("text: it.body", "text: \"it.body if it.body else ''\"", "write condition ? this : that"),
    ("text: it.body", "text: it.body == None", "nothing is called None here; write null"),
    ("text: it.body", 'text: "has(it)"', "it wants a field: write has(it.author)"),
    # What would be sent as it is.
    ('text: "${text}"', 'text: "{{command.text}}"', "would be sent as it is: write ${command.text}"),
    ("/chats/${command.conversation_id}/reply", "/chats/:id/reply", "`:id` would be sent as it is"),
    ("/chats/${command.conversation_id}/reply", "/chats/reply", "it would do the same for every one"),
    ('text: "${text}"', "text: hello", "no request of it reads text or command.text"),
    ('{state: "${status}"}', "{state: over}", "no request of it reads status or command.status"),
    ("${conversation_id}/messages", "all/messages", "it asks for no conversation"),
    ('query: {mail: "${query.identity.value}"}', "query: {}", "it asks for nothing in particular"),
    # Secrets, and roads to elsewhere.
    ("${settings.api_key}", "sk-live-1234", "no secret belongs into this file: declare a field"),
    ("${settings.api_key}", "settings.api_key", "would be sent as it is: write ${settings.api_key}"),
    ("${settings.api_key}", "Bearer ${settings.api_key}", "comes by itself: leave it out"),
    ("X-Client: deskbridge", "X-Api-Key: k-1234", "no secret belongs into this file"),
    ("api_key, secret: true,", "api_key, secret: true, default: k1,", "no secret belongs into this file"),
    ("https://api.acme", "api.acme", "an address begins with https://"),
    ("get: /me", "get: https://elsewhere.example/me", "nothing is asked of other addresses"),
    ("get: /me", "get: me", "a path begins with /"),
    # Shapes and words.
    ("post: /chats", "POST: /chats", "`POST` is unknown here; did you mean post?"),
    ("get: /me", "get: /me, body: {a: 1}", "a `get` carries no body"),
    ("limits: [{requests: 120", "limits: [{requests: many", "a whole number is expected, without quotes"),
    ("limits: [{requests: 120", "limits: [{requests: 0", "1 or more"),
    ("{unit: s}", "{unit: seconds}", "`seconds` is none of the words that are known here; there are: s, ms"),
    ("robot: pending", "robot: waiting", "`waiting` is none of the words that are known here"),
    ("robot: pending", "pending: 2", "one of our words is expected: pending, open"),
    ("roles: [helpdesk]", "roles: helpdesk", "a list is expected: begin each item with a dash"),
    ("name: api_key,", "name: api-key,", "use letters, digits and _"),
    ("times: {unit: s}", "times:\n\tunit: s", "indent with spaces, not with tabs"),
    ("times: {unit: s}", "times: s", "a mapping of names to values is expected"),
    ("reply: {status: 200}", "reply: {body: {code: 0}}", "put it in quotes, JSON in single ones"),
    ("reply: {status: 200}", "reply: {status: 500}", "`status` says that a webhook was taken"),
    # Webhooks that would be lost, doubled or forged.
    ("unavailable: 503", "unavailable: 200", "a status after which the vendor sends again"),
    ("key: event.event_id", "key: '\"event\"'", "every webhook would have the same key"),
    ('signed: "{timestamp}.{body}"', "signed: body", "`signed` covers nothing: name the parts in braces"),
    ("{timestamp}.{body}", "{timestmp}.{body}", "did you mean {timestamp}?"),
    ("minutes: 5", "minutes: -5", "more than 0, or null for any age"),
    # Walks that never end.
    ("cursor: answer.next", "cursor: page.cursor", "read it from the answer"),
]


def load(path: Path) -> type[Adapter]:
    """The adapter that a file describes, as a connection asks for it."""
    return registry.get("http", {"description": str(path)})


async def test_the_good_one_is_taken(tmp_path: Path) -> None:
    """So whatever the mistakes are refused for is their own doing."""
    settings = {"description": str(written(tmp_path, GOOD)), "api_key": "k", "webhook_secret": "s"}
    adapter = registry.build("http", settings, transport=Vendor({"company": "Example Ltd"}))
    assert await adapter.check() == "Example Ltd"


@pytest.mark.parametrize(("right", "wrong", "cure"), MISTAKES, ids=[wrong[:40] for _, wrong, _ in MISTAKES])
def test_a_mistake_is_refused_at_its_place_with_its_cure(
    tmp_path: Path, right: str, wrong: str, cure: str
) -> None:
    """At its line of the file, or that of what holds it; and with what to write there."""
    assert GOOD.count(right) == 1, right
    text = GOOD.replace(right, wrong)
    path = written(tmp_path, text)
    with pytest.raises(DescriptionError) as caught:
        load(path)
    told = [flaw for flaw in caught.value.flaws if cure in flaw]
    assert told, caught.value.flaws
    line = int(told[0].removeprefix(f"{path}:").partition(":")[0])
    at = text[: text.index(wrong)].count("\n") + 1
    assert at - 3 <= line <= at + wrong.count("\n"), told


def test_what_should_be_a_list_is_told_where_it_stands(tmp_path: Path) -> None:
    """Not where that is which holds it, though it is one of several that could be meant."""
    text = GOOD.replace("  set_status:\n    requests:\n", "  set_status:\n    requests: many\n    x:\n")
    with pytest.raises(DescriptionError) as caught:
        load(written(tmp_path, text))
    line = text[: text.index("requests: many")].count("\n") + 1
    assert f":{line}:5: a list is expected: begin each item with a dash" in str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("text: it.body", "text: it.body =="),
        ("reply:\n    requests:\n      - post: /chats", "reply:\n    requests:\n      - pst: /chats"),
        ("fields:\n  -", "fields:\n  a:"),
    ],
)
def test_a_mistake_brings_no_other_that_is_none(tmp_path: Path, right: str, wrong: str) -> None:
    """What is only missing because it was wrong isn't said to be missing."""
    text = GOOD.replace(right, wrong)
    if wrong.endswith("a:"):
        text = text.replace("  - {name: webhook", "  b: {name: webhook")
    with pytest.raises(DescriptionError) as caught:
        load(written(tmp_path, text))
    assert len(caught.value.flaws) == 1, caught.value.flaws
