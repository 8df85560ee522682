"""What each command is in HubSpot's API."""

import json
from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET

from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Rejected, Unsupported
from adapters.model import Assign, Note, Pushed, Raw, Reply, SetStatus, Status, UpdateCustomer
from adapters.speech import spoken
from adapters.times import moment
from adapters.vendors.hubspot import mapping
from adapters.vendors.hubspot.lookups import CONTACTS, THREADS, latest
from adapters.vendors.hubspot.mapping import Account

Known = Reply | Note | Assign | SetStatus | UpdateCustomer

_STATUSES = {Status.PENDING: "OPEN", Status.OPEN: "OPEN", Status.RESOLVED: "CLOSED"}
# The one path of theirs that says it twice.
_ASSIGNEES = "/conversations/conversations/v3/threads"


async def carry_out(vendor: Adapter, account: Account, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply() | Note():
            return await _say(vendor, account, command, uploads)
        case Assign():
            return await _assign(vendor, command)
        case SetStatus():
            return await _set_status(vendor, account, command)
        case UpdateCustomer():
            return await _update(vendor, command)
        case _:
            assert_never(command)


async def _say(vendor: Adapter, account: Account, command: Reply | Note, uploads: Sequence[Upload]) -> Pushed:
    if isinstance(command, Reply):
        body = await _addressed(vendor, account, command)
    else:
        body = {"type": "COMMENT", "text": command.text}
    body["attachments"] = [{"type": "FILE", "fileId": await _file(vendor, each)} for each in uploads]
    answer = await vendor.call("POST", f"{THREADS}/{command.conversation_id}/messages", json=body)
    return Pushed(id=str(answer["id"]), at=moment(answer.get("createdAt")), raw=answer)


async def _addressed(vendor: Adapter, account: Account, command: Reply) -> Raw:
    """A reply goes where the customer's latest message came from, by the same account of the channel."""
    said = [each for each in await latest(vendor, command.conversation_id) if each.get("type") == "MESSAGE"]
    heard = next((each for each in said if each.get("direction") == "INCOMING"), None)
    before = heard or next(iter(said), None)
    if before is None:
        raise Rejected(f"thread {command.conversation_id} has no message yet that could be answered")
    people = before.get("senders") if heard else before.get("recipients")
    body: Raw = {
        "type": "MESSAGE",
        "text": spoken(command),
        "senderActorId": account.actor,
        "channelId": str(before["channelId"]),
        "channelAccountId": str(before["channelAccountId"]),
        "recipients": [_recipient(each) for each in people or () if each.get("deliveryIdentifier")],
    }
    return body | ({"subject": before["subject"]} if before.get("subject") else {})


def _recipient(person: Raw) -> Raw:
    told = {name: person[name] for name in ("actorId", "name") if person.get(name)}
    return {**told, "recipientField": "TO", "deliveryIdentifiers": [person["deliveryIdentifier"]]}


async def _file(vendor: Adapter, upload: Upload) -> str:
    """Lay a file down where customers can fetch it, if they know its address."""
    form = {"options": json.dumps({"access": "PUBLIC_NOT_INDEXABLE"}), "folderPath": "/deskbridge"}
    answer = await vendor.call("POST", "/files/v3/files", data=form, files={"file": upload.part()})
    return str(answer["id"])


async def _assign(vendor: Adapter, command: Assign) -> Pushed:
    if command.team_id is not None:
        raise Unsupported("HubSpot assigns a thread to people only")
    path = f"{_ASSIGNEES}/{command.conversation_id}/assignee"
    if command.assignee_id is None:
        await vendor.call("DELETE", path)
        return Pushed()
    answer = await vendor.call("PUT", path, json={"actorId": mapping.actor_id(command.assignee_id)})
    return Pushed(raw=answer or {})


async def _set_status(vendor: Adapter, account: Account, command: SetStatus) -> Pushed:
    wanted = _STATUSES.get(command.status)
    if wanted is None:
        raise Unsupported(f"HubSpot's threads are open or closed, not {command.status}")
    answer = await vendor.call("PATCH", f"{THREADS}/{command.conversation_id}", json={"status": wanted})
    return Pushed(conversation=mapping.conversation(answer, account), raw=answer)


async def _update(vendor: Adapter, command: UpdateCustomer) -> Pushed:
    """Properties that are not named stay; every value is a text."""
    fields: Raw = {name: mapping.written(value) for name, value in command.attributes.items()}
    if command.name is not UNSET:
        first, _, last = command.name.rpartition(" ")
        fields |= {"firstname": first or last, "lastname": last if first else ""}
    path = f"{CONTACTS}/{command.customer_id}"
    answer = await vendor.call("PATCH", path, json={"properties": fields})
    # The answer holds only some of the properties.
    return Pushed(id=str(answer.get("id") or command.customer_id), raw=answer)
