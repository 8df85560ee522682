"""The house keeps its own rules: who may import whom, and how large anything may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.repository import ROOMS, ROOT

LONGEST_FILE = 400
LONGEST_FUNCTION = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """All functions of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_rooms_import_only_whom_they_may() -> None:
    """The contracts in pyproject.toml hold: layers, siblings apart, adapters free of frameworks."""
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_vendors_are_reached_only_through_the_registry() -> None:
    """Nobody imports a vendor, but for the demo and the helpdesk's own folder."""
    told = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            imports = "adapters.vendors" in path.read_text(encoding="utf-8")
            if imports and not place.startswith(("adapters/vendors/", "gateway/demo/")):
                told.append(place)
    assert told == []


def test_no_file_outgrows_a_sitting(modules: list[Path]) -> None:
    """400 lines can be read at once."""
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules
    }
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_outgrows_a_screen(modules: list[Path]) -> None:
    """40 lines, docstring included."""
    long = {}
    for path in modules:
        for function in functions(path):
            lines = (function.end_lineno or 0) - function.lineno + 1
            name = f"{path.relative_to(ROOT).as_posix()}:{function.name}"
            if lines > LONGEST_FUNCTION:
                long[name] = lines
    assert long == {}


def test_every_package_and_module_says_what_it_is_for(modules: list[Path]) -> None:
    """One line at least."""
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in modules
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_nothing_is_called_utils_helpers_or_manager(modules: list[Path]) -> None:
    """Names say what is decided there."""
    vague = {"utils", "util", "helpers", "helper", "manager", "misc", "common_utils"}
    assert [path.name for path in modules if path.stem in vague] == []


def test_the_pure_modules_touch_nothing() -> None:
    """What decides does no I/O: no database, no HTTP, no clock, no files."""
    pure = (
        "sync/delivery.py",
        "sync/echo.py",
        "sync/identity.py",
        "sync/lease.py",
        "sync/mirror.py",
        "sync/people.py",
        "sync/priority.py",
        "rules/engine.py",
        "rules/verdict.py",
        "rules/turns.py",
        "rules/signals.py",
        "gateway/wiring.py",
        "gateway/acts.py",
        "gateway/desk.py",
        "gateway/facts.py",
        "gateway/limits/arithmetic.py",
        "gateway/limits/endpoints.py",
        "gateway/limits/headers.py",
        "gateway/package.py",
        "gateway/demo/findings.py",
    )
    doing = {"sqlalchemy", "asyncpg", "httpx", "redis", "asyncio", "os", "pathlib", "socket", "time"}
    for place in pure:
        tree = ast.parse((ROOT / place).read_text(encoding="utf-8"))
        named = {
            name.partition(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not named & doing, f"{place} imports {named & doing}"
