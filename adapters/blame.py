"""What an adapter of anybody's broke at, in words for its author."""

import difflib
import sys
import traceback
from importlib.metadata import EntryPoint
from pathlib import Path

from adapters.errors import ManifestError

_CURE = "mend the entry point in its pyproject.toml, and install it again"


def place(error: BaseException, home: Path | None = None, *, but: Path | None = None) -> str:
    """The last line at which it broke, of the code in `home` or anywhere, `but` not there; empty if none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and (home is None or Path(frame.filename).is_relative_to(home))
        and not (but is not None and Path(frame.filename).is_relative_to(but))
    ]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}, in {frames[-1].name}" if frames else ""


def why_not_loaded(entry: EntryPoint, error: BaseException) -> str:
    """Why an entry point gives no adapter: what is wrong, where, and what to do."""
    if pointless := _points_at_nothing(entry, error):
        return f"{pointless}{_CURE}"
    match error:
        case SyntaxError():
            return f"{Path(error.filename or '?').name}:{error.lineno}: {error.msg}"
        case ModuleNotFoundError():
            return f"it needs the module {error.name} ({place(error)}): install that in the same environment"
        case ManifestError():
            return str(error)
        case SystemExit():
            return f"it leaves when it is imported: {error!r}"
        case _:
            where = place(error)
            return f"{error!r}{where and f' ({where})'}"


def _points_at_nothing(entry: EntryPoint, error: BaseException) -> str:
    if EntryPoint.pattern.match(entry.value) is None:
        return f"{entry.value!r} is no entry point: write it as package.module:Class; "
    if isinstance(error, ModuleNotFoundError) and f"{entry.module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name}: "
    module = sys.modules.get(entry.module)
    if not isinstance(error, AttributeError) or module is None or hasattr(module, entry.attr):
        return ""
    known = [name for name, each in vars(module).items() if isinstance(each, type)]
    close = difflib.get_close_matches(entry.attr, known, n=1)
    return f"{entry.module} holds no {entry.attr}; {f'did you mean {close[0]}? If so, ' if close else ''}"
