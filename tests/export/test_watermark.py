"""Promises of the watermark: no gap, no row twice, whatever is open or killed meanwhile."""

import asyncio
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from support.log import NOON, Log, add_conversation, add_customer, add_message

from gateway.export import running
from gateway.export.manifest import ExportRefusedError
from gateway.export.verifying import verify


async def test_a_second_run_continues_where_the_first_stopped(log: Log) -> None:
    """Each row is written once, in the run after it came."""
    await log.write(partial(add_conversation, ref=1))
    await log.write(partial(add_message, ref=10, conversation=1))
    first = await log.export()
    await log.write(partial(add_message, ref=11, conversation=1))
    second = await log.export()
    assert first is not None
    assert second is not None
    assert log.refs("messages") == [10, 11]
    assert [file.name for file in second.files] == ["messages-000002.jsonl"]
    assert second.from_watermark == first.to_watermark
    assert verify(log.directory, log.manifest) == []


async def test_nothing_new_makes_no_run(log: Log) -> None:
    """A run that finds nothing leaves the directory as it was."""
    await log.write(partial(add_conversation, ref=1))
    await log.export()
    before = log.manifest
    assert await log.export() is None
    assert log.manifest == before


async def test_a_transaction_open_across_two_runs_leaves_no_gap(log: Log) -> None:
    """Rows of a transaction that began first and ended last come with the run after its end."""
    await log.write(partial(add_conversation, ref=1))
    async with log.engine.connect() as slow:
        await add_message(slow, 10, 1, "written before the first run")
        await log.write(partial(add_message, ref=11, conversation=1))
        await log.export()
        assert log.refs("conversations") == [1]
        assert log.refs("messages") == []
        await log.write(partial(add_message, ref=12, conversation=1))
        await log.export()
        assert log.refs("messages") == []
        await add_message(slow, 13, 1, "written between the runs")
        await slow.commit()
    await log.export()
    assert log.refs("messages") == [10, 11, 12, 13]


async def test_rows_written_while_it_runs_are_neither_lost_nor_doubled(log: Log) -> None:
    """Writers and exports at the same time: in the end every row is there once."""
    await log.write(partial(add_conversation, ref=1))

    async def writer(start: int) -> None:
        for ref in range(start, start + 40):
            async with log.engine.begin() as connection:
                await add_message(connection, ref, 1)
                await asyncio.sleep(0.001 * (ref % 7))

    writers = [asyncio.create_task(writer(start)) for start in (1000, 2000, 3000)]
    while not all(task.done() for task in writers):
        await log.export()
    await asyncio.gather(*writers)
    await log.export()
    expected = {ref for start in (1000, 2000, 3000) for ref in range(start, start + 40)}
    assert sorted(log.refs("messages")) == sorted(expected)
    assert len(log.manifest.runs) > 2


async def test_what_changed_comes_again(log: Log) -> None:
    """Readers take the latest row of a ref."""
    await log.write(partial(add_customer, ref=5, name="Ann"))
    await log.export()
    async with log.engine.begin() as connection:
        await connection.execute(text("UPDATE customer SET name = 'Anna', xid = pg_current_xact_id()"))
    await log.export()
    assert [row["name"] for row in log.rows("customers")] == ["Ann", "Anna"]


async def test_a_first_run_keeps_to_conversations_with_activity_since(log: Log) -> None:
    """Quiet conversations stay out, with all their rows; they come when something happens in them."""
    old = NOON - timedelta(days=30)
    async with log.engine.begin() as connection:
        await add_customer(connection, 5, "Old")
        await add_customer(connection, 6, "New")
        await add_conversation(connection, 1, customer=5, at=old)
        await add_message(connection, 10, 1, at=old)
        await add_conversation(connection, 2, customer=6)
        await add_message(connection, 19, 2, at=old)
        await add_message(connection, 20, 2)
    await log.export(since=NOON - timedelta(days=1))
    assert log.refs("conversations") == [2]
    assert log.refs("messages") == [19, 20]
    assert log.refs("customers") == [6]
    async with log.engine.begin() as connection:
        await add_message(connection, 11, 1)
        await connection.execute(
            text("UPDATE conversation SET last_message_at = :at, xid = pg_current_xact_id() WHERE ref = 1"),
            {"at": NOON},
        )
    await log.export()
    assert log.refs("conversations") == [2, 1]
    assert log.refs("messages") == [19, 20, 11]
    assert log.refs("customers") == [6, 5]


async def test_a_reply_of_ours_counts_as_activity(log: Log) -> None:
    """A message alone is enough, even when the conversation's row is older."""
    old = NOON - timedelta(days=30)
    async with log.engine.begin() as connection:
        await add_conversation(connection, 1, at=old)
        await add_message(connection, 10, 1, at=NOON)
    await log.export(since=NOON - timedelta(days=1))
    assert log.refs("conversations") == [1]


STEPS = ("publish", "sync", "save")


@pytest.mark.parametrize("step", STEPS)
async def test_a_run_that_dies_leaves_nothing_behind(
    log: Log, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed before the files have their names, after, or before the manifest: the next run is whole."""
    await log.write(partial(add_conversation, ref=1))
    await log.export()
    await log.write(partial(add_message, ref=10, conversation=1))

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        match step:
            case "publish":
                patched.setattr(running, "publish", die)
            case "sync":
                patched.setattr(running.manifests, "sync_directory", die)
            case "save":
                patched.setattr(running.manifests, "save", die)
        with pytest.raises(KeyboardInterrupt):
            await log.export()
    await log.export()
    await log.export()
    assert log.refs("messages") == [10]
    assert verify(log.directory, log.manifest) == []
    listed = {file.name for run in log.manifest.runs for file in run.files}
    assert {path.name for path in log.directory.iterdir()} == listed | {"manifest.json"}


async def test_a_run_killed_with_minus_nine_is_taken_up(log: Log, database_url: str) -> None:
    """A real process, really killed in the middle of writing."""
    async with log.engine.begin() as connection:
        await add_conversation(connection, 1)
        await connection.execute(
            text("""
            INSERT INTO message (ref, conversation_ref, id, author, text, private, attachments, origin,
                sent_at, seen_at)
            SELECT n, 1, n::text, 'customer', repeat('x', 200), false, '[]', 'live', now(), now()
            FROM generate_series(1, 60000) AS n
            """)
        )
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("deskbridge"),
        "export",
        "--out",
        log.directory,
        env=os.environ | {"DESKBRIDGE_DATABASE_URL": database_url},
    )
    part = log.directory / "messages-000001.jsonl.part"
    while not (part.exists() and part.stat().st_size):
        assert process.returncode is None
        await asyncio.sleep(0.002)
    process.kill()
    await process.wait()
    assert part.exists()
    await log.export()
    assert log.refs("messages") == list(range(1, 60001))
    assert not part.exists()
    assert verify(log.directory, log.manifest) == []


async def test_two_runs_at_once_are_refused(log: Log) -> None:
    """The second says so instead of mixing its files with the first's."""
    await log.export()
    with running._alone(log.directory), pytest.raises(ExportRefusedError, match="another export"):  # noqa: SLF001 - the first run's lock
        await log.export()


async def test_another_databases_log_is_refused(log: Log) -> None:
    """Its transaction numbers mean nothing here."""
    await log.export()
    path = log.directory / "manifest.json"
    path.write_text(path.read_text().replace(log.manifest.database.oid, "1"))
    with pytest.raises(ExportRefusedError, match="of another database"):
        await log.export()


async def test_a_restored_older_database_is_refused(log: Log) -> None:
    """A log that knows more than its database would miss what is written next."""
    await log.export()
    path = log.directory / "manifest.json"
    path.write_text(path.read_text().replace(log.manifest.runs[0].to_watermark, "99999999999"))
    with pytest.raises(ExportRefusedError, match="ahead of the database"):
        await log.export()


async def test_rows_of_a_restored_dump_are_adopted(log: Log) -> None:
    """A dump carries another server's transaction numbers, which this one would wait for in vain."""
    await log.write(partial(add_conversation, ref=1))
    async with log.engine.begin() as connection:
        await connection.execute(text("UPDATE conversation SET xid = '99999999999'"))
    with pytest.raises(ExportRefusedError, match="export adopt"):
        await log.export()
    async with log.engine.begin() as connection:
        assert await running.log.adopt(connection) == 1
    await log.export()
    assert log.refs("conversations") == [1]


async def test_a_lost_manifest_is_not_made_up(log: Log) -> None:
    """Files that nobody accounts for are neither deleted nor mixed with new ones."""
    await log.write(partial(add_conversation, ref=1))
    await log.export()
    (log.directory / "manifest.json").unlink()
    with pytest.raises(ExportRefusedError, match="restore manifest"):
        await log.export()
    assert (log.directory / "conversations-000001.jsonl").exists()


async def test_a_redacted_log_stays_redacted(log: Log) -> None:
    """One run without `--redact` would undo all the others."""
    await log.export(redacted=True)
    with pytest.raises(ExportRefusedError, match="add --redact"):
        await log.export()


async def test_verifying_finds_what_was_tampered_with(log: Log) -> None:
    """A changed byte, a missing file, a lost run."""
    for ref in (1, 2, 3):
        await log.write(partial(add_conversation, ref=ref))
        await log.export()
    changed, missing = (log.directory / f"conversations-00000{n}.jsonl" for n in (1, 3))
    changed.write_bytes(changed.read_bytes().replace(b"pending", b"PENDING"))
    missing.unlink()
    manifest = log.manifest
    assert verify(log.directory, manifest) == [
        "conversations-000001.jsonl: its checksum is not the manifest's",
        "conversations-000003.jsonl: No such file or directory",
    ]
