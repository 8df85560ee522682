"""Vendors keep to their folder: small adapters, and nothing written twice that belongs to all of them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from support.repository import ROOT

VENDORS = ROOT / "adapters" / "vendors"
LONGEST_ADAPTER = 150
SHARED = 6
_SUBSTANCE = 80
"""Fewer letters in six lines are brackets and commas."""
_DELEGATION = re.compile(r"(?:match|case) .*|(?:async )?def .*|(?:return |\w+ = )await [\w.]+\([^()]*\)")
"""Saying which command is whose is no logic: every adapter has that list."""


class Anonymous(ast.NodeTransformer):
    """Takes variables' names and written values out of code, and leaves what it does and whom it calls."""

    def __init__(self) -> None:
        self._variables: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Whatever a variable is called."""
        return ast.Name("x", node.ctx) if node.id in self._variables else node

    def visit_arg(self, _: ast.arg) -> ast.AST:
        """Or a parameter."""
        return ast.arg("x")

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Whatever is written there."""
        return ast.Constant("c") if isinstance(node.value, str | int | float) else node

    def visit_Import(self, _: ast.Import) -> None:
        """Imports are alike everywhere."""

    def visit_ImportFrom(self, _: ast.ImportFrom) -> None:
        """Likewise."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """What a function is called, and what it says of itself."""
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        node.name, node.returns = "f", None
        outer = self._variables
        self._variables = outer | set(_bound(node))
        node = self.generic_visit(node)  # type: ignore[assignment]
        self._variables = outer
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - as ast calls it


def _bound(function: ast.FunctionDef) -> Iterator[str]:
    """The parameters of a function, and what it assigns."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def blocks(source: str) -> Iterator[tuple[str, ...]]:
    """Every six lines of code, without variables, values, imports and docstrings."""
    tree = ast.fix_missing_locations(Anonymous().visit(ast.parse(source)))
    lines = [line.strip() for line in ast.unparse(tree).splitlines()]
    lines = [line for line in lines if line and not _DELEGATION.fullmatch(line)]
    for start in range(len(lines) - SHARED + 1):
        block = tuple(lines[start : start + SHARED])
        if sum(map(len, block)) > _SUBSTANCE:
            yield block


def shared(sources: dict[str, list[str]]) -> list[tuple[set[str], str]]:
    """The blocks that several vendors have, and who."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for vendor, texts in sources.items():
        for text in texts:
            for block in blocks(text):
                found[block].add(vendor)
    return [(who, "\n".join(block)) for block, who in found.items() if len(who) > 1]


def test_an_adapter_is_read_in_a_minute() -> None:
    """150 lines; what is more belongs into mapping, commands, or to all."""
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in VENDORS.glob("*/adapter.py")
    }
    assert len(lengths) > 3
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_ADAPTER} == {}


def test_no_two_vendors_share_six_lines_of_logic() -> None:
    """What several need is in `adapters/`, whatever its variables are called."""
    sources: dict[str, list[str]] = defaultdict(list)
    for path in VENDORS.rglob("*.py"):
        sources[path.relative_to(VENDORS).parts[0]].append(path.read_text(encoding="utf-8"))
    assert shared(sources) == []


def test_a_copy_with_other_names_is_a_copy() -> None:
    """The test above can fail."""
    path: Path = VENDORS / "chatwoot" / "mapping.py"
    text = path.read_text(encoding="utf-8")
    copied = text.replace("message", "utterance").replace("raw", "body").replace('"id"', '"number"')
    assert shared({"chatwoot": [text], "another": [copied]})
