"""`deskbridge export …` as an operator or a nightly job uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from support.log import add_conversation, add_message

Command = Callable[..., Any]


@pytest.fixture
async def url(engine: AsyncEngine, database_url: str) -> str:
    """A database with one short conversation."""
    async with engine.begin() as connection:
        await add_conversation(connection, 1)
        await add_message(connection, 10, 1, "What do you sell?")
    return database_url


def test_a_log_is_written_continued_and_verified(run: Command, url: str, tmp_path: Path) -> None:
    """The same command line each night."""
    log = tmp_path / "log"
    nightly = ("export", "--since", "2026-01-01", "--out", log)
    first = run(*nightly, database=url)
    assert first.returncode == 0, first.stderr
    assert "messages-000001.jsonl" in first.stdout
    assert "nothing new" in run(*nightly, database=url).stdout
    assert "all well" in run("export", "verify", log).stdout
    (log / "messages-000001.jsonl").write_text("")
    spoilt = run("export", "verify", log)
    assert spoilt.returncode == 1
    assert "messages-000001.jsonl: 0 bytes" in spoilt.stderr


async def test_the_stream_of_a_conversation_is_in_the_log(
    engine: AsyncEngine, url: str, run: Command, tmp_path: Path
) -> None:
    """With the channel: so a broadcast's comments can be told from those of another."""
    async with engine.begin() as connection:
        await add_conversation(connection, 2, channel="live", stream="room_1")
    log = tmp_path / "log"
    ran = run("export", "--out", log, database=url)
    assert ran.returncode == 0, ran.stderr
    lines = (log / "conversations-000001.jsonl").read_text().splitlines()
    told = {row["ref"]: (row["channel"], row["stream"]) for row in map(json.loads, lines)}
    assert told == {1: ("chat", ""), 2: ("live", "room_1")}


def test_another_databases_log_is_refused(
    refused: Callable[..., str], run: Command, url: str, tmp_path: Path
) -> None:
    """With the cure."""
    log = tmp_path / "log"
    run("export", "--out", log, database=url)
    manifest = log / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"system_identifier": "', '"system_identifier": "1'))
    assert "export into an empty directory" in refused("export", "--out", log, database=url)


def test_a_place_that_cannot_be_written_is_told(
    refused: Callable[..., str], url: str, tmp_path: Path
) -> None:
    """A file is in the way."""
    (tmp_path / "file").touch()
    assert "can't be written" in refused("export", "--out", tmp_path / "file" / "log", database=url)


def test_a_directory_without_a_log_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """There is nothing to verify."""
    assert "there is no manifest.json here" in refused("export", "verify", tmp_path)


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T12:00:00"])
def test_an_unclear_time_is_refused(run: Command, tmp_path: Path, since: str) -> None:
    """A time without an offset means something else on every machine."""
    ran = run("export", "--since", since, "--out", tmp_path / "log")
    assert ran.returncode == 2
    assert "2026-11-11T20:00:00+08:00" in ran.stderr


def test_a_directory_must_be_named(run: Command) -> None:
    """No log into wherever one happens to be."""
    ran = run("export")
    assert ran.returncode == 2
    assert "--out DIR" in ran.stderr
