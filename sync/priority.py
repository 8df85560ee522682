"""What comes first when a vendor's limit is short. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Priority(IntEnum):
    """The classes of traffic, the most urgent first; a command carries its class's number."""

    REPLY = 1
    HAND_OFF = 2
    STATUS = 3
    FIELDS = 5
    BACKFILL = 7
    EXPORT = 9


RESERVED: Mapping[Priority, int] = MappingProxyType(
    {
        Priority.REPLY: 0,
        Priority.HAND_OFF: 10,
        Priority.STATUS: 20,
        Priority.FIELDS: 35,
        Priority.BACKFILL: 50,
        Priority.EXPORT: 60,
    }
)
"""How many per cent of a limit are kept from each class, for those before it."""


def priority_of(number: int) -> Priority:
    """The class that a stored number belongs to: numbers between two classes count as the later one."""
    return next((each for each in Priority if each >= number), Priority.EXPORT)
