"""The commands under `deskbridge keys`: who may use the API and the console."""

from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from config.clock import utc_now
from config.settings import Settings
from gateway import access, store
from gateway.access import Scope
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import err, out
from gateway.database import open_database
from gateway.store import Key

app = typer.Typer(no_args_is_help=True, help="Keys for the API and the console.")

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its ref, or its name where that is clear.")]


@app.callback()
def keys() -> None:
    """Keys for the API and the console."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it opens; may be given several times.")],
    config: ConfigOption = None,
) -> None:
    """Make a key and show it, this once."""
    run(_create(settings_from(config), name, scope))


async def _create(settings: Settings, name: str, scopes: list[Scope]) -> None:
    async with open_database(settings) as engine, engine.begin() as connection:
        ref, token = await access.create_key(connection, name=name, scopes=scopes, clock=utc_now)
    err.print(f"key {ref} ({name}); keep it well, it is not shown again:", highlight=False, markup=False)
    typer.echo(token)


@app.command("list")
def list_keys(config: ConfigOption = None) -> None:
    """Show all keys; what was handed out is not kept."""
    run(_list(settings_from(config)))


async def _list(settings: Settings) -> None:
    async with open_database(settings) as engine, engine.connect() as connection:
        found = await store.list_keys(connection)
    table = Table("ref", "name", "scopes", "made", "revoked")
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(
            str(key.ref), key.name, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", revoked
        )
    out.print(table)


@app.command("revoke")
def revoke(key: KeyArgument, config: ConfigOption = None) -> None:
    """End a key, and the console sessions it opened, at once."""
    run(_revoke(settings_from(config), key))


async def _revoke(settings: Settings, wanted: str) -> None:
    async with open_database(settings) as engine, engine.begin() as connection:
        key = await _find(connection, wanted)
        await store.revoke_key(connection, key.ref, now=utc_now())
    out.print(f"key {key.ref} ({key.name}) is revoked", highlight=False, markup=False)


@app.command("ticket")
def ticket(
    key: KeyArgument,
    agent: Annotated[str | None, typer.Option(help="Who logs in, as the desk knows them.")] = None,
    name: Annotated[str | None, typer.Option(help="The name that customers see.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print a link that logs in at the console once, within ten minutes."""
    run(_ticket(settings_from(config), key, agent, name))


async def _ticket(settings: Settings, wanted: str, agent: str | None, name: str | None) -> None:
    async with open_database(settings) as engine, engine.begin() as connection:
        key = await _find(connection, wanted)
        who = agent or name or key.name
        made = await access.create_ticket(
            connection, key_ref=key.ref, agent=Person(id=who, name=name or who), clock=utc_now
        )
    typer.echo(f"{settings.public_url}/console/login?{urlencode({'ticket': made})}")


async def _find(connection: AsyncConnection, wanted: str) -> Key:
    valid = [key for key in await store.list_keys(connection) if key.revoked_at is None]
    found = [key for key in valid if str(key.ref) == wanted] or [key for key in valid if key.name == wanted]
    if len(found) == 1:
        return found[0]
    reason = (
        f"{len(found)} valid keys are called {wanted!r}; name one by its ref"
        if found
        else (f"no valid key is called {wanted!r}; see: deskbridge keys list")
    )
    raise typer.BadParameter(reason)
