"""HTML and plain text, each as the other."""

import html
import re
from typing import Any

_TAG = re.compile(r"<(br|/p|/div|/li|/tr)\b[^>]*>|<[^>]*>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def plain(text: Any) -> str:
    """HTML as plain text; lines end where paragraphs do."""
    shown = _HIDDEN.sub("", str(text or ""))
    return html.unescape(_TAG.sub(lambda found: "\n" if found[1] else "", shown)).strip()


def marked_up(text: Any) -> str:
    """A plain text as HTML, for vendors that take nothing else."""
    return html.escape(str(text or ""), quote=False).replace("\n", "<br>")
