"""What the codes in Qiyu's answers mean. Its HTTP status is 200 whatever happened."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import httpx

from adapters.errors import AdapterError, Fatal, Rejected, Retryable
from adapters.model import Raw, Reception

APPLY: Final = "/openapi/event/applyStaff"
QUEUE: Final = "/openapi/event/queryQueueStatus"

OK = 200
NOBODY_ONLINE = 14005
QUEUED = 14006
NEVER_ASKED = 14007
FORBIDDEN_OR_QUEUED = 14008
"""The general pages: this address may not call us. The vendor's own Java client: in a queue of `count`."""
TOO_FAST = 14009
CLOSED = 14010
BROKEN = 14500

_FATAL = MappingProxyType(
    {
        14001: "the app key is wrong",
        14002: "the checksum is wrong: compare the app secret",
        14003: "the time is more than five minutes off: set this machine's clock (NTP)",
        FORBIDDEN_OR_QUEUED: "this address is not among those that Qiyu lets in: add it there",
        14515: "the account lacks the permission for this interface",
    }
)
_REFUSED = MappingProxyType(
    {
        14004: "a field is missing or wrong",
        NOBODY_ONLINE: "nobody is online",
        QUEUED: "the visitor has to queue",
        NEVER_ASKED: "the visitor has never asked for anybody",
        CLOSED: "nobody is online, and the message box is closed",
        14501: "too much data at once",
    }
)


def complaint(answer: Any, response: httpx.Response) -> AdapterError | None:
    """The error that an answer of the interface tells of; `None` where all is well, or its status tells."""
    code, path = code_of(answer), response.request.url.path
    acts = not path.endswith(QUEUE)
    if code == OK or (path.endswith(APPLY) and reception(answer)) or (code == NEVER_ASKED and not acts):
        return None
    if code is None:
        return Retryable("Qiyu's answer holds no code", outcome_unknown=acts) if response.is_success else None
    if code in _FATAL:
        return Fatal(_worded(code, _FATAL[code]))
    if code == TOO_FAST:
        return Retryable(_worded(code, "too fast"), retry_after=timedelta(seconds=1))
    if code == BROKEN:
        return Retryable(_worded(code, "an error of Qiyu's own"), outcome_unknown=acts)
    return Rejected(_worded(code, _REFUSED.get(code, "an error that we don't know")))


def reception(answer: Raw) -> Reception | None:
    """How a request for a person was taken; `None` if the answer tells of an error."""
    match code_of(answer):
        case 200:
            return Reception.NOBODY if _by_robot(answer) else Reception.ACCEPTED
        case 14005 | 14010:
            return Reception.NOBODY
        case 14006:
            return Reception.QUEUED
        case 14008 if isinstance(answer.get("count"), int):
            return Reception.QUEUED
        case _:
            return None


def _by_robot(answer: Raw) -> bool:
    """Whether a robot took it. The printed sample of a person's session says 0, too, but has the model."""
    return answer.get("staffType") == 0 and not answer.get("evaluationModel")


def code_of(answer: Any) -> int | None:
    """The code of an answer."""
    code = answer.get("code") if isinstance(answer, dict) else None
    if isinstance(code, str) and code.isdecimal():
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _worded(code: int, meaning: str) -> str:
    return f"Qiyu answered {code}: {meaning}"
