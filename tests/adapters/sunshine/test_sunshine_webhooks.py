"""What Zendesk messaging's webhooks mean: signed by a shared secret, several events in each."""

import copy
from typing import Any

import pytest
from sunshine_told import CONVERSATION, USER, deliver, read, sample
from vendors.sunshine_app import WEBHOOK_SECRET, settings

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Control,
    ControlChanged,
    ConversationChanged,
    CustomerChanged,
    CustomersMerged,
    Identity,
    IdentityKind,
    MessageFailed,
    MessagePosted,
    Person,
)


@pytest.fixture
def adapter() -> Adapter:
    """The adapter; nothing here asks the vendor."""
    return registry.build("sunshine", settings())


@pytest.mark.parametrize("secret", [None, "", "wrong", WEBHOOK_SECRET + "x", WEBHOOK_SECRET.upper()])
def test_only_who_knows_the_secret_is_heard(adapter: Adapter, secret: str | None) -> None:
    """It stands in X-API-Key, and nothing else opens."""
    with pytest.raises(BadSignature):
        deliver(adapter, sample("conversation_message"), secret)
    assert deliver(adapter, sample("conversation_message")).deliveries


def test_while_the_secret_is_changed_both_hold() -> None:
    """A new webhook brings a new secret before the old one is gone."""
    adapter = registry.build("sunshine", settings() | {"webhook_secret": ["new", "old"]})
    for secret in ("new", "old"):
        assert deliver(adapter, sample("conversation_message"), secret).deliveries
    with pytest.raises(BadSignature):
        deliver(adapter, sample("conversation_message"), "older")


def test_each_event_is_a_delivery_of_its_own(adapter: Adapter) -> None:
    """Known by the event's id, so that none is taken twice, in the lane of its conversation."""
    body = sample("several_events")
    ids = [each["id"] for each in body["events"]]
    receipt = deliver(adapter, body)
    assert [each.key for each in receipt.deliveries] == [ids[0], ids[2]]  # who reads means nothing to us
    assert {each.lane for each in receipt.deliveries} == {CONVERSATION}
    assert [type(change) for change in read(adapter, body)] == [ConversationChanged, MessagePosted]
    assert 200 <= receipt.reply.status < 300


def test_users_have_lanes_of_their_own(adapter: Adapter) -> None:
    """They may have several conversations."""
    for name in ("user_update", "user_merge"):
        (delivery,) = deliver(adapter, sample(name)).deliveries
        assert delivery.lane == f"user:{USER}"


def test_an_odd_event_does_not_take_its_neighbours_along(adapter: Adapter) -> None:
    """To answer 400 would lose them all for ever: it is accepted, and parks by itself."""
    body = sample("several_events")
    body["events"].insert(0, {"id": "odd", "type": "conversation:message", "payload": None})
    body["events"].insert(0, {"type": "conversation:message", "payload": {"conversation": {"id": "c"}}})
    body["events"] += ["no event", None, {"type": 7}]
    nameless, odd, *good = deliver(adapter, body).deliveries
    assert (odd.key, odd.lane) == ("odd", "unplaced")
    assert nameless.key.startswith("conversation:message:")
    for each in (odd, nameless):
        with pytest.raises(Malformed):
            adapter.parse(each.body)
    assert [len(adapter.parse(each.body)) for each in good] == [1, 1]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"app": {"id": "another"}, "events": []}, "belong to app another"),
        ({"trigger": "message:appUser", "version": "v1.1", "messages": []}, "version 1"),
        ({"hello": 1}, "holds no events"),
        ([], "holds no events"),
    ],
)
def test_what_can_never_be_right_is_refused(adapter: Adapter, body: Any, fault: str) -> None:
    """Another app's events, a webhook of the old version, something else altogether."""
    with pytest.raises(Malformed, match=fault):
        deliver(adapter, body)


def test_two_users_become_one(adapter: Adapter) -> None:
    """The one that is gone is named."""
    (change,) = read(adapter, sample("user_merge"))
    assert isinstance(change, CustomersMerged)
    assert (change.customer.id, change.gone_id) == (USER, "68a1f0c2b3d4e5f6071828bb")


def test_a_user_who_signs_in(adapter: Adapter) -> None:
    """Is a customer who changed."""
    (change,) = read(adapter, sample("user_update"))
    assert isinstance(change, CustomerChanged)
    assert Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True) in change.customer.identities


def test_what_is_not_delivered_after_all(adapter: Adapter) -> None:
    """Is told with the reason, once no channel is left to try."""
    body = sample("conversation_message_delivery_failure")
    (change,) = read(adapter, body)
    assert isinstance(change, MessageFailed)
    assert change.conversation_id == CONVERSATION
    assert change.message_id == body["events"][0]["payload"]["message"]["id"]
    assert change.reason == "The 24 hour window has passed."
    body["events"][0]["payload"]["isFinalEvent"] = False
    assert read(adapter, body) == []


OURS, WORKSPACE, BOT = "deskbridge", "zd-agentWorkspace", "zd-answerBot"


def switched(verb: str, active: str | None, pending: str | None = None, **payload: Any) -> dict[str, Any]:
    """A webhook of the switchboard."""
    body = copy.deepcopy(sample("switchboard_release_control"))
    event = body["events"][0]
    event["type"] = f"switchboard:{verb}"
    event["payload"] = {"conversation": {"id": CONVERSATION, "type": "personal"}, **payload}
    for field, name in (("activeSwitchboardIntegration", active), ("pendingSwitchboardIntegration", pending)):
        if name:
            event["payload"]["conversation"][field] = {"id": f"id-of-{name}", "name": name}
    return body


@pytest.mark.parametrize(
    ("moved", "control", "holder"),
    [
        (("passControl", OURS, None), Control.OURS, OURS),
        (("passControl", WORKSPACE, None), Control.THEIRS, WORKSPACE),
        (("passControl", None, None), Control.UNKNOWN, None),
        (("passControl:failure", OURS, None), Control.REFUSED, OURS),
        (("offerControl", BOT, OURS), Control.OFFERED_TO_US, OURS),
        (("offerControl", OURS, WORKSPACE), Control.OFFERED_AWAY, WORKSPACE),
        (("offerControl", None, WORKSPACE), Control.OFFERED_AWAY, WORKSPACE),
        (("offerControl", BOT, WORKSPACE), Control.THEIRS, WORKSPACE),
        (("offerControl", BOT, None), Control.UNKNOWN, BOT),
        (("offerControl:failure", OURS, None), Control.REFUSED, OURS),
        (("acceptControl", OURS, None), Control.OURS, OURS),
        (("acceptControl", WORKSPACE, None), Control.THEIRS, WORKSPACE),
        (("acceptControl:failure", BOT, OURS), Control.REFUSED, BOT),
        (("releaseControl", None, None), Control.RELEASED, None),
        (("neverHeardOf", OURS, None), Control.UNKNOWN, OURS),
    ],
)
def test_the_switchboard_as_we_see_it(
    adapter: Adapter, moved: tuple[str, str | None, str | None], control: Control, holder: str | None
) -> None:
    """Be we the bot that gives away or the desk that is offered to; failures, too."""
    (change,) = read(adapter, switched(*moved, metadata={"intent": "customs"}))
    assert isinstance(change, ControlChanged)
    assert change.control is control
    assert change.holder == (Person(f"id-of-{holder}", holder) if holder else None)
    assert change.metadata == {"intent": "customs"}
    assert change.conversation.id == CONVERSATION


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"reason": "ticketClosed"}, "ticketClosed"),
        ({"error": {"code": "forbidden", "message": "Not pending."}}, "Not pending."),
        ({"error": {"code": "forbidden"}}, "forbidden"),
        ({"error": None, "metadata": None}, ""),
    ],
)
def test_why_control_moved(adapter: Adapter, payload: dict[str, Any], reason: str) -> None:
    """Where the vendor says."""
    (change,) = read(adapter, switched("releaseControl", None, **payload))
    assert isinstance(change, ControlChanged)
    assert change.reason == reason


@pytest.mark.parametrize("called", ["deskbridge", "68a0aaaa0000000000000001", "68a0aaaa0000000000000011"])
def test_we_are_known_by_any_name(called: str) -> None:
    """The integration's name, its id in the switchboard, or the id of what lies behind."""
    adapter = registry.build("sunshine", settings() | {"integration": called})
    (change,) = read(adapter, sample("switchboard_pass_control_to_us"))
    assert isinstance(change, ControlChanged)
    assert change.control is Control.OURS


def test_a_customer_who_writes_to_others_is_told_as_theirs(adapter: Adapter) -> None:
    """We may not have heard when control moved; nothing of the kind is said where it is ours or nobody's."""
    body = sample("conversation_message")
    assert [type(each) for each in read(adapter, body)] == [MessagePosted]
    thread = body["events"][0]["payload"]["conversation"]
    thread["activeSwitchboardIntegration"] = {"id": "a", "name": WORKSPACE}
    control, said = read(adapter, body)
    assert isinstance(control, ControlChanged)
    assert isinstance(said, MessagePosted)
    assert (control.control, control.holder) == (Control.THEIRS, Person("a", WORKSPACE))
    del thread["activeSwitchboardIntegration"]
    assert [type(each) for each in read(adapter, body)] == [MessagePosted]
    assert [type(each) for each in read(adapter, sample("message_by_agent"))] == [MessagePosted]
