"""Chatwoot's description of its API, and what its source allows beyond that."""

from typing import Any

_MESSAGES = "/api/v1/accounts/{account_id}/conversations/{conversation_id}/messages"
_FORM = ("content", "message_type", "private", "content_attributes", "attachments[]")


def amend(description: dict[str, Any]) -> None:
    """Files come with a message in a form (app/builders/messages/message_builder.rb)."""
    described = description["paths"][_MESSAGES]["post"]["requestBody"]["content"]
    described["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "required": ["content", "attachments[]"],
            "additionalProperties": False,
            "properties": {name: {} for name in _FORM},
        }
    }
