"""The README of each shipped adapter: what it tells an operator to write is accepted, and nothing lacks."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

import adapters.vendors
from adapters import registry
from adapters.declared.adapter import Declared
from config.settings import ConnectionSettings, load_settings

VENDORS = Path(adapters.vendors.__file__).parent
NAMES = sorted(path.parent.name for path in VENDORS.glob("*/README.md"))
_YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def readme(name: str) -> str:
    """What the page says."""
    return (VENDORS / name / "README.md").read_text(encoding="utf-8")


def configured(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    """The connection of the page's first example, as an operator would write it."""
    block = next(text for text in _YAML.findall(readme(name)) if "adapter:" in text)
    for variable in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(variable, f"secret-of-{variable.lower()}")
    indented = "".join(f"    {line}\n" for line in block.splitlines())
    whole = block if block.lstrip().startswith("connections:") else f"connections:\n  it:\n{indented}"
    path = folder / "deskbridge.yaml"
    path.write_text(whole.replace("…", "what-stands-there"), encoding="utf-8")
    ours = [each for each in load_settings(path).connections.values() if each.adapter == name]
    assert ours, f"the first example of {name}'s README is not of {name}"
    return ours[0]


@pytest.mark.parametrize("name", NAMES)
async def test_the_example_is_a_connection(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that it needs is there, nothing is unknown, and it can be what the example makes it."""
    connection = configured(name, tmp_path, monkeypatch)
    adapter = registry.build(connection.adapter, connection.settings, connection="it")
    assert connection.role in {role.value for role in adapter.manifest.roles}
    assert set(connection.limits) <= {limit.name for limit in adapter.manifest.limits}
    await adapter.aclose()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_an_operator_needs_is_left_out(name: str) -> None:
    """Every field by its name; of a description how to prove it, limits, and what it was checked against."""
    page, adapter = readme(name), registry.get(name)
    fields = [field.name for field in adapter.manifest.fields]
    assert [field for field in fields if not re.search(rf"\b{field}\b", page)] == []
    if not issubclass(adapter, Declared):
        return
    assert "deskbridge adapters check <connection>" in page
    assert ("/hooks/<connection>" in page) == (adapter.description.webhook is not None)
    for heading in ("What is carried", "Limits", "What it was checked against"):
        assert f"\n## {heading}\n" in page
    if name != "inhouse":
        assert re.search(r"\*\*Nobody\s+here\s+has\s+run\s+it\s+against", page)


@pytest.mark.parametrize("name", ["doudian", "meiqia", "sobot"])
async def test_where_nothing_can_be_asked_check_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is no failure: what comes in is all there is."""
    configured(name, tmp_path, monkeypatch)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("deskbridge"),
        *("adapters", "check", "it", "--config", str(tmp_path / "deskbridge.yaml")),
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert "nothing is asked of it" in said.decode()
    assert ("its webhooks are heard" in said.decode()) == (name != "sobot")
