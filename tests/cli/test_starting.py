"""Bad settings, databases that don't fit: one line that names the place and the cure, exit code 2."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from config.embedded import EmbeddedPostgres
from config.settings import Settings
from gateway.house import open_house
from gateway.migrate import alembic_config
from gateway.schema import revisions

Refused = Callable[..., str]
Command = Callable[..., Any]


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database without any schema."""
    server = create_async_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text("CREATE DATABASE empty_for_cli"))
        yield postgres.url("empty_for_cli")
        await connection.execute(text("DROP DATABASE empty_for_cli WITH (FORCE)"))
    await server.dispose()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("answers: {treshold: 1}\n", "answers.treshold"),
        ("port: 70000\n", "port: Input should be less than or equal to 65535"),
        (
            "connections: {shop: {adapter: memory, settings: {token: '${NOT_SET_ANYWHERE}'}}}\n",
            "export NOT_SET",
        ),
        ("port: 80\n  host: x\n", "deskbridge.yaml:2:7: not YAML: mapping values are not allowed here"),
        ("- a list\n", "expected settings by name"),
    ],
)
def test_a_bad_setting_is_named(config: Path, refused: Refused, written: str, told: str) -> None:
    """The file, the field and what to do."""
    config.write_text(written)
    line = refused("serve")
    assert str(config) in line
    assert told in line


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "adapter: memory, ai: theirs, settings: {switchboard: true, $AT}",
            "say `ai: true` if our AI answers",
        ),
        ("adapter: intercom, role: desk, settings: {admin_id: '1', $AT}", "it takes `role: helpdesk`"),
        ("adapter: doudian, settings: {app_key: k, webhook_secret: s}", "it takes `role: erp`"),
    ],
)
def test_a_connection_that_its_vendor_does_not_go_with_is_named(
    config: Path, refused: Refused, database_url: str, written: str, told: str
) -> None:
    """Nobody's turns would be judged; no hand-off could be opened; orders are no conversations."""
    at = "base_url: 'http://127.0.0.1:9', token: t, webhook_secret: w"
    config.write_text(f"connections: {{shop: {{{written.replace('$AT', at)}}}}}\n")
    line = refused("serve", "--port", "0", database=database_url)
    assert f"{config}: connections.shop: " in line
    assert told in line


async def test_a_vendors_own_ai_goes_where_there_is_no_switch(database_url: str, tmp_path: Path) -> None:
    """The same helpdesk with its switchboard off."""
    at = {"base_url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "w"}
    shop: Any = {"adapter": "memory", "ai": "theirs", "settings": at}
    settings = Settings(database_url=database_url, data_dir=tmp_path, connections={"shop": shop})
    async with open_house(settings) as house:
        assert set(house.adapters) == {"shop"}


def test_a_missing_settings_file_is_named(config: Path, refused: Refused) -> None:
    """Not silently the defaults."""
    config.unlink()
    assert "set DESKBRIDGE_CONFIG" in refused("serve")


def test_an_unreachable_database_is_told_without_a_traceback(refused: Refused) -> None:
    """Nothing listens there."""
    assert "check DESKBRIDGE_DATABASE_URL" in refused("knowledge", "list")


def test_a_database_that_does_not_exist_is_told(postgres: EmbeddedPostgres, refused: Refused) -> None:
    """The server is there, the database isn't."""
    line = refused("knowledge", "list", database=postgres.url("no_such_database"))
    assert "no_such_database" in line
    assert "check DESKBRIDGE_DATABASE_URL" in line


def test_a_fresh_database_is_brought_up(empty_url: str, run: Command, refused: Refused) -> None:
    """Refused with the cure, cured, accepted; the cure may be taken twice."""
    assert "deskbridge db upgrade" in refused("worker", database=empty_url)
    for _ in range(2):
        assert run("db", "upgrade", database=empty_url).returncode == 0
    assert run("knowledge", "list", database=empty_url).returncode == 0


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",), ("db", "upgrade")])
async def test_a_newer_schema_is_refused(
    engine: AsyncEngine, database_url: str, refused: Refused, command: tuple[str, ...]
) -> None:
    """An older version never touches what a newer one wrote."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    line = refused(*command, database=database_url)
    assert "newer than this version" in line
    assert "install the version that wrote it" in line


def test_migrations_are_named_in_their_order() -> None:
    """The newest by its file's name is the one that Alembic would upgrade to."""
    scripts = ScriptDirectory.from_config(alembic_config())
    assert [script.revision for script in scripts.walk_revisions()] == revisions()[::-1]


@pytest.mark.parametrize(
    ("command", "spared"),
    [
        ((), {"sqlalchemy", "pydantic", "litestar", "httpx"}),
        (("parked",), {"sqlalchemy", "litestar", "numpy"}),
        (("customers",), {"sqlalchemy", "litestar", "numpy"}),
        (("keys",), {"litestar", "alembic", "numpy", "redis", "cel"}),
        (("knowledge",), {"litestar", "alembic", "redis", "cel"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command: tuple[str, ...], spared: set[str]) -> None:
    """Nobody waits for a web framework to be told what the options are."""
    script = (
        "import sys; from gateway.cli import app; app(sys.argv[1:], standalone_mode=False);"
        " print(*sys.modules, sep='\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"], capture_output=True, text=True, check=True
    )
    imported = set(ran.stdout.split("\n"))
    assert "gateway.cli" in imported
    assert not imported & spared
