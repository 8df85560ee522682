"""`deskbridge rules …` as the writer of a policy uses it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
POLICY = """\
policy: mine
rules:
  - name: many-failures
    when: ai.failed_turns >= 2
    then:
      - tag: {add: [failing]}
examples:
  - name: two are many
    facts: {ai: {failed_turns: 2}}
    expect: [many-failures]
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A directory with one good policy."""
    directory = tmp_path / "policies"
    directory.mkdir()
    (directory / "mine.yaml").write_text(POLICY)
    return directory


def test_the_packaged_policy_passes_its_own_examples(run: Command) -> None:
    """No database needed."""
    ran = run("rules", "test")
    assert ran.returncode == 0, ran.stdout
    assert "0 failed" in ran.stdout


def test_an_example_that_comes_out_differently_fails(run: Command, policies: Path) -> None:
    """It says what was expected and what acted."""
    (policies / "mine.yaml").write_text(POLICY.replace(">= 2", ">= 3"))
    ran = run("rules", "test", policies)
    assert ran.returncode == 1
    assert "two are many" in ran.stdout
    assert "expected many-failures, acted nothing" in ran.stdout
    assert "0 passed, 1 failed" in ran.stdout


def test_the_settings_policies_are_the_ones_tested(run: Command, config: Path, policies: Path) -> None:
    """`policies:` in the settings file, relative to it."""
    config.write_text(f"policies: {policies.name}\n")
    assert "1 passed" in run("rules", "test").stdout


def test_a_mistake_is_named_with_its_place(refused: Callable[..., str], policies: Path) -> None:
    """File, line, column and cure."""
    (policies / "mine.yaml").write_text(POLICY.replace("ai.failed_turns", "ai.failed_turn"))
    line = refused("rules", "check", policies)
    assert f"{policies / 'mine.yaml'}:4:" in line
    assert "ai.failed_turns" in line


def test_checking_counts_what_it_found(run: Command, policies: Path) -> None:
    """One line a policy."""
    assert "1 rules, 0 messages, 1 examples" in run("rules", "check", policies).stdout


def test_facts_can_be_looked_up(run: Command) -> None:
    """As a table for people, as a page for the reference."""
    assert "ai.failed_turns" in run("rules", "facts").stdout
    assert run("rules", "facts", "--markdown").stdout.startswith("# Facts\n")
