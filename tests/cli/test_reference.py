"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest

from gateway import metrics, reference
from gateway.reference import PAGES

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


def test_no_series_is_missing() -> None:
    """Every name in the source is on the page."""
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    names = re.findall(r'"(deskbridge_\w+)"', source)
    assert names
    page = reference.metrics_page()
    assert [name for name in names if f"`{name}`" not in page] == []


def test_links_between_pages_lead_somewhere() -> None:
    """No page sends its reader into the void."""
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"
