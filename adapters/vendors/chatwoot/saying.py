"""Putting messages into a conversation: replies, notes, and through an API inbox the customer's own words."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from adapters.attachments import Upload
from adapters.errors import Rejected
from adapters.model import Author, Pushed, Raw
from adapters.times import moment
from adapters.vendors.chatwoot import mapping

_FILES = 15  # NUMBER_OF_PERMITTED_ATTACHMENTS, app/models/message.rb


class Account(msgspec.Struct, frozen=True):
    """One account's API: how to call it, where it lies, and whose headers make the bot speak.

    `inbox_id` is the API inbox through which customers' words come in from elsewhere.
    """

    call: Callable[..., Awaitable[Any]]
    path: str
    as_bot: dict[str, str] | None
    inbox_id: int | None = None


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is said under which key, and by whom; `private` for agents alone."""

    key: str
    text: str
    author: Author
    private: bool = False


async def say(account: Account, conversation_id: str, words: Words, uploads: Sequence[Upload] = ()) -> Pushed:
    """Post one message, with its files."""
    if len(uploads) > _FILES:
        raise Rejected(f"{len(uploads)} files: Chatwoot takes {_FILES} with a message")
    body = {
        "content": words.text,
        "message_type": "incoming" if words.author is Author.CUSTOMER else "outgoing",
        "private": words.private,
        "content_attributes": mapping.mark(words.key, words.author),
    }
    sent = _form(body, uploads) if uploads else {"json": body}
    headers = account.as_bot if words.author is Author.AI else None
    path = f"{account.path}/conversations/{conversation_id}/messages"
    answer = await account.call("POST", path, headers=headers, **sent)
    return Pushed(id=str(answer["id"]), at=moment(answer.get("created_at")), raw=answer)


def _form(body: Raw, uploads: Sequence[Upload]) -> Raw:
    """Files come in a form, where everything else is a text; Chatwoot reads the attributes as JSON."""
    fields = {name: value if isinstance(value, str) else _json(value) for name, value in body.items()}
    return {"data": fields, "files": [("attachments[]", upload.part()) for upload in uploads]}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
