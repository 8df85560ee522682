"""Commands that work through the HTTP API of a running gateway."""

import secrets
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import typer
from rich.markup import escape

from gateway.commands.terminal import err

Url = Annotated[str, typer.Option("--url", envvar="DESKBRIDGE_URL", help="Where the gateway listens.")]
HERE = "http://127.0.0.1:8080"
TIME_LIMIT = 15.0
DOWNLOAD_LIMIT = 60.0


def call(method: str, url: str, key: str, path: str, **more: Any) -> Any:
    """Ask the API; a write carries a key of its own, so that a second try does nothing twice."""
    headers = {"Authorization": f"Bearer {key}"}
    if method != "GET":
        headers["Idempotency-Key"] = secrets.token_hex(16)
    try:
        transport = httpx.HTTPTransport(retries=2)
        with httpx.Client(base_url=url, headers=headers, timeout=TIME_LIMIT, transport=transport) as client:
            answer = client.request(method, path, **more)
    except httpx.HTTPError as error:
        fail(f"{url} can't be reached: {error}")
    if not answer.is_success:
        fail(_reason(answer))
    return answer.json()


def download(url: str, key: str, path: str, to: Path) -> int:
    """Save what the API hands out, piece by piece; its size. Nothing half is left, nothing overwritten."""
    headers = {"Authorization": f"Bearer {key}"}
    part = to.with_name(f"{to.name}.part")
    if to.exists():
        fail(f"{to} is there already")
    try:
        with (
            httpx.Client(base_url=url, headers=headers, timeout=DOWNLOAD_LIMIT) as client,
            client.stream("GET", path) as answer,
        ):
            if not answer.is_success:
                answer.read()
                fail(_reason(answer))
            with part.open("xb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
                size = file.tell()
        part.rename(to)
    except httpx.HTTPError as error:
        part.unlink(missing_ok=True)
        fail(f"{url} can't be reached: {error}")
    except OSError as error:
        fail(f"{to} can't be written: {error.strerror}")
    return size


def _reason(answer: httpx.Response) -> str:
    try:
        return f"{answer.json()['detail']} ({answer.status_code})"
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {answer.status_code}"


def fail(reason: str) -> NoReturn:
    """End the command, saying why."""
    err.print(f"[bold red]error:[/] {escape(reason)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
