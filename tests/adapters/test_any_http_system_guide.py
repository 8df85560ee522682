"""The guide on describing a system is true: its example is carried out as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.repository import ROOT

from adapters import registry
from adapters.declared.expressions import FUNCTIONS
from adapters.model import Author, Channel, MessagePosted, Status

GUIDE = (ROOT / "docs" / "how-to" / "any-http-system.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE))
CONSOLE = re.findall(r"^```console\n\$ (.*?)\n(.*?)\n```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the example, where a reader would have written them."""
    for name, text in {**FILES, "README.md": "Acme Chat"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "acme.yaml"


def told(command: str) -> str:
    """What a command prints, its refusal included."""
    program, *arguments = command.split()
    path = Path(sys.executable).with_name(program)
    run = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return (run.stdout + run.stderr).strip()


def test_the_example_earns_what_it_claims(acme: Path) -> None:
    """The first command prints just that, but for what is cut off at the end of a line."""
    assert acme.is_file()
    command, expected = CONSOLE[0]
    lines = told(command).splitlines()
    for line, shown in zip(lines, expected.splitlines(), strict=True):
        assert line == shown or (shown.endswith("…") and line.startswith(shown[:-1]))


def test_the_examples_own_test_passes(acme: Path) -> None:
    """In a process of its own, with nothing but what is installed."""
    told_by_pytest = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            acme.with_name("test_acme.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=acme.parent,
    )
    assert told_by_pytest.returncode == 0, told_by_pytest.stdout
    assert "TestAcme: bronze" in told_by_pytest.stdout


def test_the_mistakes_are_told_as_printed(acme: Path) -> None:
    """With those three in the file."""
    text = acme.read_text(encoding="utf-8")
    for right, wrong in (
        ("authors:", "athors:"),
        ("event.event ==", "evnt.event =="),
        ("kind: bearer", "kind: berer"),
    ):
        assert right in text
        text = text.replace(right, wrong)
    acme.write_text(text, encoding="utf-8")
    command, expected = CONSOLE[1]
    assert told(command) == expected


def test_a_path_that_leads_nowhere_is_told_by_the_kit(acme: Path) -> None:
    """As the guide says of `key: event.evnt_id`: no line of the file shows it, and no fixture has it."""
    acme.write_text(acme.read_text(encoding="utf-8").replace("event.event_id", "event.evnt_id"))
    said = told(CONSOLE[0][0])
    assert "failed bronze shown: no fixture shows webhook.key (`event.evnt_id`)" in said
    assert said.endswith("acme.yaml claims bronze, earns none")


def test_the_example_means_what_it_says(acme: Path) -> None:
    """A customer's words, in a conversation that the bot has."""
    settings = {"api_key": "k", "webhook_secret": "s", "description": str(acme)}
    adapter = registry.build("http", settings, connection="chat")
    (change,) = adapter.parse(FILES["fixtures/message.json"].encode())
    assert isinstance(change, MessagePosted)
    assert (change.message.author, change.message.text) == (Author.CUSTOMER, "Where is my parcel?")
    assert (change.conversation.status, change.conversation.channel) == (Status.PENDING, Channel.CHAT)


def test_every_function_is_in_the_guide() -> None:
    """Nothing of ours is left unsaid."""
    assert [name for name in FUNCTIONS if f"`{name}(" not in GUIDE] == []
