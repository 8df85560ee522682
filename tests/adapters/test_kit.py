"""The conformance kit finds what it promises to find: every check can fail, and says what is wrong."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mutants import FIXTURES, MUTANTS, mistakes

from adapters.contract import Adapter
from adapters.manifest import Capability, Tier
from adapters.testing.checking import CHECKS
from adapters.testing.running import Ending, run, run_one
from adapters.testing.subject import Subject
from adapters.vendors.memory.adapter import Memory

PAIRS = [(name, mutant) for name, mutants in MUTANTS.items() for mutant in mutants]
DESCRIPTION = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/api/me": {"get": {"responses": {"200": {"description": "ok"}}}},
    },
}


def test_every_check_has_a_mutant_to_kill() -> None:
    """A check that nothing can fail proves nothing."""
    assert set(MUTANTS) == set(CHECKS)


@pytest.mark.parametrize(("name", "mutant"), PAIRS, ids=[f"{name}-{each.__name__}" for name, each in PAIRS])
async def test_a_broken_adapter_is_found_out(name: str, mutant: type[Adapter]) -> None:
    """By the check whose promise it breaks, in words that name the fault."""
    subject = Subject(mutant, folder=FIXTURES)
    check = CHECKS[name]
    files = sorted(subject.webhooks) if check.per_file else [""]
    results = [await run_one(check, subject, file) for file in files]
    failed = [each for each in results if each.ending is Ending.FAILED]
    assert failed, f"{mutant.__name__}: {mutant.__doc__}"
    assert all(each.detail for each in failed)


@pytest.mark.parametrize(
    ("name", "mutant", "told"),
    [
        ("unknown_words", "Complete", "mistakes.py:"),
        ("every_shape", "TwoStatuses", "raise Unsupported"),
        ("understood", "Waiting", "plain def"),
        ("declared_commands", "Silent", "return a Pushed"),
        ("pages_end", "Listing", "return a Page"),
        ("channels", "Surprising", 'channels = ["chat", "comment", '),
        ("channels", "Presumptuous", "live in the scripted pages of conversations"),
        ("channels_shown", "Reticent", 'channels = ["chat", "comment", '),
        ("channels_shown", "Placeless", "Let the conversations' records have a `channel`"),
        ("channels_shown", "OffAir", "declared channels chat, comment, "),
        ("channels_shown", "Unconfigurable", "with where set to chat, "),
    ],
)
async def test_a_fault_is_told_with_its_cure_or_its_line(name: str, mutant: str, told: str) -> None:
    """Whoever reads it knows what to do next."""
    subject = Subject(vars(mistakes)[mutant], folder=FIXTURES)
    check = CHECKS[name]
    files = sorted(subject.webhooks) if check.per_file else [""]
    results = [await run_one(check, subject, file) for file in files]
    assert any(told in each.detail for each in results), results


async def test_the_unbroken_one_earns_its_tier() -> None:
    """So whatever the mutants fail is the mutation's doing."""
    report = await run(Subject(Memory))
    assert report.holds
    assert report.faults(up_to=report.claimed) == []


async def test_a_claim_that_is_too_high_does_not_hold() -> None:
    """Gold must be earned."""
    lacking = Memory.manifest.capabilities - {Capability.NOTE}
    claimed = msgspec.structs.replace(Memory.manifest, tier=Tier.GOLD, capabilities=lacking)
    boasting: Any = type("Boasting", (Memory,), {"manifest": claimed})
    report = await run(Subject(boasting, folder=FIXTURES))
    assert not report.holds
    assert "complete" in {each.check for each in report.faults()}


async def test_a_request_outside_the_description_is_found_out(tmp_path: Path) -> None:
    """By its path, its keys and its parameters."""
    path = tmp_path / "description.json"
    path.write_text(json.dumps(DESCRIPTION))
    subject = Subject(Memory, description=path)
    result = await run_one(CHECKS["requests_valid"], subject)
    assert result.ending is Ending.FAILED
    assert "/api/customers" in result.detail


async def test_what_the_script_lacks_is_named(tmp_path: Path) -> None:
    """With the request, and the place where its answer belongs."""
    folder = tmp_path / "fixtures"
    folder.mkdir()
    (folder / "a.json").write_bytes((FIXTURES / "message_posted.json").read_bytes())
    result = await run_one(CHECKS["credentials"], Subject(Memory, folder=folder))
    assert result.ending is Ending.FAILED
    assert "no answer to GET /api/me" in result.detail
    assert "fixtures/answers/" in result.detail


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("subject.toml", "colour = 'red'", "colour"),
        ("answers/a.json", '{"request": "GET /", "jsn": {}}', "a.json holds no answers"),
        ("answers/a.json", "{", "a.json holds no answers"),
    ],
)
def test_what_is_declared_wrongly_is_named(tmp_path: Path, file: str, content: str, reason: str) -> None:
    """File and key."""
    (tmp_path / "answers").mkdir()
    (tmp_path / file).write_text(content)
    with pytest.raises(AssertionError, match=reason):
        Subject(Memory, folder=tmp_path).vendor()
