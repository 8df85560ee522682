"""The tutorial does what it says: every file is written, every command run, every line shown comes out."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-adapter.md"
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file: \S+|fails) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)\n```", re.DOTALL
)
_LIMIT = 120
_EXECUTED = {"console"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A virtual environment of the reader's, in which Deskbridge is installed."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=_LIMIT)
    python = place / "bin" / "python"
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    told = subprocess.run(asked, check=True, capture_output=True, text=True)
    (Path(told.stdout.strip()) / "deskbridge_here.pth").write_text(
        f"{sysconfig.get_path('purelib')}\n{ROOT}\n"
    )
    for name, start in (
        ("deskbridge", "from gateway.cli import main; main()"),
        ("pytest", "import sys, pytest; sys.exit(pytest.main())"),
    ):
        script = place / "bin" / name
        script.write_text(f"#!{python}\n{start}\n")
        script.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "COLUMNS": "200", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def steps() -> Iterator[tuple[str, str, str]]:
    """Mark, language and text of each block."""
    for found in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield found["mark"] or "", found["language"], found["text"]


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, with the lines that it is to print."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def missing(shown: list[str], printed: str) -> str | None:
    """The first of the lines shown that doesn't come out, in its place; `…` stands for anything."""
    lines = iter(printed.splitlines())
    for each in shown:
        pattern = re.compile(".*".join(map(re.escape, each.rstrip().split("…"))))
        if each.strip() not in {"", "…"} and not any(pattern.fullmatch(line.rstrip()) for line in lines):
            return each
    return None


def test_the_tutorial_is_true(tmp_path: Path, environment: dict[str, str]) -> None:
    """From nothing to a silver adapter, as a reader would do it."""
    place = tmp_path / "work"
    place.mkdir()
    ran = 0
    for mark, language, text in steps():
        if mark.startswith("file: "):
            path = place / mark.removeprefix("file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        elif language in _EXECUTED:
            for command, shown in commands(text):
                done = subprocess.run(
                    ["bash", "-c", command],
                    cwd=place,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=_LIMIT,
                    check=False,
                )
                assert (done.returncode != 0) == (mark == "fails"), f"{command}\n{done.stdout}{done.stderr}"
                lost = missing(shown, done.stdout)
                assert lost is None, f"{command}\nshould print: {lost}\nprints:\n{done.stdout}{done.stderr}"
                ran += 1
    assert ran > 8


def test_what_is_shown_is_looked_for_in_its_order() -> None:
    """The test of the tutorial can fail."""
    assert missing(["a", "…", "b…d"], "a\nx\nbcd\n") is None
    assert missing(["b…d", "a"], "a\nx\nbcd\n") == "a"
    assert missing(["e"], "a\n") == "e"
