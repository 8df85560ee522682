"""The times that vendors write, as aware UTC."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

EPOCH = datetime.fromtimestamp(0, UTC)
_SECONDS, _MILLISECONDS = 1e8, 1e11
"""From here on a Unix time is in this unit, whatever is documented: none that we read is of before 1973."""


def moment(value: Any, *, unit: Literal["s", "ms"] = "s", zone: tzinfo = UTC) -> datetime | None:
    """A time given as ISO 8601 (any number of decimals), or as a Unix time in `unit`, number or text.

    Where a number can only be meant in the other unit, it is taken so.

    One without an offset is in `zone`. `None` where there is none.

    Raises:
        TypeError, ValueError, OverflowError: it is no time.
    """
    match value:
        case bool() | None | "":
            return None
        case int() | float():
            told = "ms" if value >= _MILLISECONDS else "s" if value >= _SECONDS else unit
            return EPOCH + (timedelta(seconds=value) if told == "s" else timedelta(milliseconds=value))
        case str() if value.replace(".", "", 1).isdecimal():
            return moment(float(value), unit=unit)
        case str():
            parsed = datetime.fromisoformat(value)
            aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
            return aware.astimezone(UTC)
        case _:
            raise TypeError(f"{value!r} is no time")
