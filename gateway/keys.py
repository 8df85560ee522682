"""Idempotency keys."""

import secrets


def new_key() -> str:
    """An idempotency key that no other deployment will make."""
    return f"db_{secrets.token_hex(12)}"
