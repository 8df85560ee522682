"""Rendering: templates, the reader's language, and the headers every page is sent with."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from gateway.console.words import LANGUAGES, Words, choose, words

HERE = Path(__file__).parent
STATIC = HERE / "static"
LANGUAGE_COOKIE = "deskbridge_lang"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
Caller = Request[Any, Any, Any]


def clock_time(at: datetime, style: str = "time") -> Markup:
    """A moment; the page's script shows it in the reader's own time zone."""
    shown = f"{at:%H:%M:%S}" if style == "time" else f"{at:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" data-style="{}" title="{}">{}</time>').format(
        at.isoformat(), style, f"{at:%Y-%m-%d %H:%M:%S} UTC", shown
    )


def span(length: timedelta | float) -> str:
    """A length of time, short."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - a minute


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = clock_time
    made.filters["span"] = span
    # A changed file gets another address, so that browsers may keep it for long.
    mark = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(STATIC.iterdir())))
    made.globals["version"] = mark.hexdigest()[:12]
    made.globals["languages"] = LANGUAGES
    return made


_ENVIRONMENT = _environment()


def reader_words(request: Caller) -> Words:
    """The catalogue for whoever asks."""
    return words(
        choose(
            asked=request.query_params.get("lang"),
            remembered=request.cookies.get(LANGUAGE_COOKIE),
            accepted=request.headers.get("accept-language", ""),
        )
    )


def render(request: Caller, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """A page in the reader's language."""
    t = reader_words(request)
    html = _ENVIRONMENT.get_template(template).render(
        t=t, visitor=request.scope.get("auth"), here=_here(request), **values
    )
    response = Response(html, status_code=status, media_type="text/html; charset=utf-8")
    response.headers.update(SECURITY_HEADERS)
    response.headers["Content-Language"] = t.language
    if request.query_params.get("lang") == t.language:
        response.set_cookie(
            Cookie(key=LANGUAGE_COOKIE, value=t.language, path="/console", max_age=31_536_000, samesite="lax")
        )
    return response


def _here(request: Caller) -> Mapping[str, str]:
    """The addresses of this page in each language."""
    rest = [(k, v) for k, v in request.query_params.multi_items() if k not in {"lang", "ticket"}]
    return {
        language: str(request.url.with_replacements(query="").path) + _query([*rest, ("lang", language)])
        for language in LANGUAGES
    }


def _query(items: list[tuple[str, Any]]) -> str:
    return f"?{urlencode(items)}"
