"""The repository: locks that any index can serve, files that any machine can use, a README that is true."""

import re
from pathlib import Path

import pytest
from support.repository import ROOT

LOCKS = ("requirements/base.txt", "requirements/dev.txt")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".html", ".css", ".js", ".svg", ".csv", ".sh", ""}
LOCAL = re.compile(r"(?<![\w.:/-])/(?:work|root|home|Users)/[\w.-]+")
HOST = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://\S*(?:pypi|/simple)\b", re.IGNORECASE
)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_host_and_every_hash(lock: str) -> None:
    """Any index will do, and what it serves is checked."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not HOST.search(text)
    pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,-]+\])?==", text, re.MULTILINE | re.IGNORECASE)
    entries = [entry for entry in re.split(r"\n(?=[a-zA-Z0-9])", text.strip()) if "==" in entry]
    assert len(pinned) == len(entries) > 40
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_carry_no_model_runtime(lock: str) -> None:
    """What runs out of the box needs no gigabytes."""
    assert not re.search(
        r"^(?:torch|transformers|tensorflow|onnxruntime)\b", (ROOT / lock).read_text(), re.MULTILINE
    )


def test_whatever_is_imported_is_locked() -> None:
    """The development lock holds all of the base lock, in the same versions."""
    base, dev = (
        set(re.findall(r"^[\w.\[\],-]+==[\w.]+", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS
    )
    assert base <= dev


def test_tracked_files_know_no_machine(tracked: list[Path]) -> None:
    """No path of anybody's disk, no package host: a clone works anywhere."""
    told = []
    for path in tracked:
        if path.suffix not in TEXT or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if LOCAL.search(line) or (path.suffix in {".txt", ".toml", ".cfg", ""} and HOST.search(line)):
                told.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert told == []


def test_every_command_in_the_readme_exists() -> None:
    """`make …` is in the Makefile, `deskbridge …` is a command, and each linked file is there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", readme)) <= targets
    assert {"demo", "test"} <= set(re.findall(r"\bmake ([a-z]+)", readme))
    for linked in re.findall(r"\]\((?!https?:|#)([^)#]+)", readme):
        assert (ROOT / linked).exists(), linked


def test_every_link_between_documents_leads_somewhere(tracked: list[Path]) -> None:
    """Relative links in Markdown point at files that exist."""
    broken = []
    for path in tracked:
        if path.suffix == ".md":
            text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            for linked in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
                broken += [] if (path.parent / linked).exists() else [f"{path.relative_to(ROOT)} → {linked}"]
    assert broken == []


def test_ci_runs_what_the_readme_names() -> None:
    """One command for people and machines."""
    script = ROOT / ".ci" / "run"
    assert script.read_text().rstrip().endswith("make test")
    assert script.stat().st_mode & 0o111
