"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest

from gateway import metrics, reference
from gateway.cli import COMMANDS, load
from gateway.reference import PAGES
from rules.condition import ConditionError, compile_condition
from rules.engine import run_examples
from rules.policy import parse_policy

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_committed_page_is_up_to_date(page: str) -> None:
    """Run `python -m gateway.reference docs/reference` after a change."""
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page]()


def test_every_setting_says_what_it_means() -> None:
    """A setting without a docstring has an empty cell."""
    rows = [line for line in reference.settings_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if not row.rstrip(" |").endswith((".", "`"))] == []


def test_the_list_of_commands_says_of_each_what_it_says_itself() -> None:
    """The list is written apart, so that `--help` needs to import none of them."""
    assert {name: load(name).help for name in COMMANDS} == {
        name: told for name, (_, told) in COMMANDS.items()
    }


def test_no_series_is_missing() -> None:
    """Every name in the source is on the page."""
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    names = re.findall(r'"(deskbridge_\w+)"', source)
    assert names
    page = reference.metrics_page()
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_policy_on_the_page_is_a_good_one() -> None:
    """It is read without a complaint, and its own examples come out as they say."""
    (written,) = re.findall(
        r"```yaml\n(.*?)```", (DOCS / "policies.md").read_text(encoding="utf-8"), re.DOTALL
    )
    policy = parse_policy(written, file="policies.md")
    assert [result.passed for result in run_examples(policy)] == [True, True]


@pytest.mark.parametrize("refused", ['ai.failed_turns == "3"', 'conversation.channel == "wechat"'])
def test_what_the_page_calls_refused_is_refused(refused: str) -> None:
    """Conditions that could never hold."""
    with pytest.raises(ConditionError):
        compile_condition(refused)


def test_links_between_pages_lead_somewhere() -> None:
    """No page sends its reader into the void."""
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"
