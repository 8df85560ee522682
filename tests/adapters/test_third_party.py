"""A third party's adapter is a distribution of its own: made, installed, found and tested."""

import asyncio
import importlib
import itertools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from adapters.manifest import Tier
from adapters.testing.running import run
from adapters.testing.subject import Subject
from gateway.authoring.scaffold import Answers, Auth, ScaffoldError, Signing, make

_LIMIT = 120
_KINDS = list(itertools.product(Auth, Signing))


def answers(name: str = "acme", auth: Auth = Auth.BEARER, signing: Signing = Signing.HMAC) -> Answers:
    """What an author says about a vendor."""
    return Answers(
        name=name, title="Acme Helpdesk", base_url="https://api.acme.example/", auth=auth, signing=signing
    )


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is made in the test's folder can be imported, until the test is over."""
    before = set(sys.modules)
    yield
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith("deskbridge_"):
            del sys.modules[name]
    assert tmp_path.exists()


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(("auth", "signing"), _KINDS, ids=[f"{a}-{s}" for a, s in _KINDS])
def test_whatever_is_answered_the_tests_pass_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: Auth, signing: Signing
) -> None:
    """Bronze, with any credentials and any signature, from the first minute on."""
    folder = make(answers(f"acme_{auth}_{signing}", auth, signing), tmp_path)
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module(f"deskbridge_acme_{auth}_{signing}.adapter")
    adapter = next(each for name, each in vars(module).items() if name.startswith("Acme"))
    report = asyncio.run(run(Subject(adapter)))
    assert report.faults(up_to=Tier.BRONZE) == []
    assert (report.claimed, report.holds) == (Tier.BRONZE, True)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Somebody's work may be in the folder."""
    make(answers(), tmp_path)
    with pytest.raises(ScaffoldError, match="there already"):
        make(answers(), tmp_path)


@pytest.mark.parametrize("name", ["Acme", "acme helpdesk", "../acme", "", "7even"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes a package's name."""
    with pytest.raises(ScaffoldError, match="can't be an adapter's name"):
        make(answers(name), tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Two of one name would both be unusable."""
    with pytest.raises(ScaffoldError, match="installed already; choose another name"):
        make(answers("memory"), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        ({"base_url": "api.acme.example"}, "begin it with https://"),
        ({"base_url": "https://"}, "begin it with https://"),
        ({"base_url": 'https://a.example/"x'}, "begin it with https://"),
        ({"base_url": "https://a.example?key=1"}, "end it before"),
        ({"title": ""}, "write what people call it"),
        ({"title": "A\\B"}, "write what people call it"),
    ],
)
def test_what_would_break_a_file_is_refused(tmp_path: Path, wrong: dict[str, str], cure: str) -> None:
    """Before it stands in a manifest or in Python."""
    with pytest.raises(ScaffoldError, match=cure):
        make(structs.replace(answers(), **wrong), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """In a line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ScaffoldError, match="name another place by --into"):
        make(answers(), tmp_path / "file")


def test_a_bad_name_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """Nobody answers four questions for nothing."""
    command = [Path(sys.executable).with_name("deskbridge"), "adapters", "new", "My-Helpdesk"]
    asked = subprocess.run(
        command, cwd=tmp_path, input="", capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "use small letters, digits and _" in asked.stderr


def test_new_asks_what_it_is_not_told(tmp_path: Path) -> None:
    """Four questions; an answer that can't be one is asked for again."""
    said = "Acme\nhttps://a.example\nmagic\nbasic\nshared\n"
    command = [Path(sys.executable).with_name("deskbridge"), "adapters", "new", "acme"]
    asked = subprocess.run(
        command, cwd=tmp_path, input=said, capture_output=True, text=True, timeout=_LIMIT, check=True
    )
    assert "What is the vendor called?" in asked.stdout
    assert asked.stdout.count("How do we show who we are?") == 2
    manifest = (tmp_path / "acme" / "deskbridge_acme" / "manifest.toml").read_text()
    assert 'auth = "basic"' in manifest
    assert 'name = "password"\nsecret = true' in manifest


@pytest.fixture(scope="session")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An author's own virtual environment; what we have installed lies on its path."""
    place = tmp_path_factory.mktemp("author") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=_LIMIT)
    python = place / "bin" / "python"
    lines = f"{sysconfig.get_path('purelib')}\n{Path(__file__).parents[2]}\n"
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    (Path(told.stdout.strip()) / "deskbridge_here.pth").write_text(lines)
    return place


def in_venv(author: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python there, with no network and nothing of this test run in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [author / "bin" / "python", *arguments],
        cwd=cwd,
        env=kept | {"COLUMNS": "200", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )


def test_an_author_makes_installs_and_tests_an_adapter(author: Path, tmp_path: Path) -> None:
    """From `new` to a green suite, in a fresh environment; then a mistake turns it red."""
    cli = ("-c", "from gateway.cli import main; main()")
    options = ("--title", "Acme", "--base-url", "https://a.example", "--auth", "token", "--signing", "hmac")
    made = in_venv(author, tmp_path, *cli, "adapters", "new", "acme", *options)
    assert made.returncode == 0, made.stderr
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet")
    installed = in_venv(author, tmp_path, "-m", "pip", "install", *offline, "./acme")
    assert installed.returncode == 0, installed.stderr
    listed = in_venv(author, tmp_path, *cli, "adapters", "list")
    assert "deskbridge-acme 0.1.0" in listed.stdout
    tested = in_venv(author, tmp_path, *cli, "adapters", "test", "acme")
    assert tested.returncode == 0, tested.stdout
    assert "acme claims bronze, earns bronze" in tested.stdout
    assert not list((tmp_path / "acme").rglob("conftest.py"))
    green = in_venv(author, tmp_path / "acme", "-m", "pytest", "-q", "-p", "no:randomly", "tests")
    assert green.returncode == 0, green.stdout
    assert "test_adapter::TestAcme: bronze" in green.stdout
    source = tmp_path / "acme" / "deskbridge_acme" / "adapter.py"
    source.write_text(source.read_text().replace('str(raw["id"])', 'raw["id"]'))
    editable = in_venv(
        author, tmp_path, "-m", "pip", "install", *offline, "--force-reinstall", "-e", "./acme"
    )
    assert editable.returncode == 0, editable.stderr
    red = in_venv(author, tmp_path / "acme", "-m", "pytest", "-q", "-p", "no:randomly", "tests")
    assert red.returncode == 1
    assert "Expected `str`, got `int`" in red.stdout
    assert in_venv(author, tmp_path, *cli, "adapters", "test", "acme").returncode == 1


CLI = ("-c", "from gateway.cli import main; main()")
NOTHING = ("\0", "")
OFFLINE = ("-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--quiet")


def installed(author: Path, folder: Path, name: str, *, changed: tuple[str, str], entry: str = "") -> None:
    """Install a new adapter's distribution of that name, with one thing changed in its folder."""
    made = make(answers(name), folder)
    right, wrong = changed
    for path in (path for path in made.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(right, wrong), encoding="utf-8")
    if entry:
        project = made / "pyproject.toml"
        lines = project.read_text().splitlines()
        project.write_text("\n".join(entry if line.startswith(f"{name} = ") else line for line in lines))
    done = in_venv(author, folder, *OFFLINE, str(made))
    assert done.returncode == 0, done.stderr


def test_what_is_wrong_with_a_distribution_is_told_with_its_cure(author: Path, tmp_path: Path) -> None:
    """Another contract, a class that isn't there, no module, a slip of the pen; the others go on."""
    kinds = {
        "later": (("contract = 1", "contract = 2"), "", "upgrade Deskbridge"),
        "slip": (("def parse(self,", "def parse(self(,"), "", "adapter.py:"),
        "hollow": (NOTHING, 'hollow = "deskbridge_hollow.adapter:Holow"', "did you mean Hollow? If so,"),
        "nowhere": (
            NOTHING,
            'nowhere = "deskbridge_gone.adapter:Gone"',
            "there is no module deskbridge_gone",
        ),
    }
    for name, (changed, entry, _) in kinds.items():
        installed(author, tmp_path, name, changed=changed, entry=entry)
    try:
        listed = in_venv(author, tmp_path, *CLI, "adapters", "list")
        assert listed.returncode == 0
        assert all(f"deskbridge-{name}" in listed.stdout for name in kinds)
        matrix = in_venv(author, tmp_path, *CLI, "adapters", "matrix")
        for name, (_, _, cure) in kinds.items():
            assert f"{name}: broken: " in matrix.stdout
            tested = in_venv(author, tmp_path, *CLI, "adapters", "test", name)
            assert (tested.returncode, tested.stdout) == (2, "")
            assert tested.stderr.startswith("error: ")
            assert cure in tested.stderr
            assert "Traceback" not in tested.stderr
        assert in_venv(author, tmp_path, *CLI, "adapters", "test", "memory").returncode == 0
    finally:
        gone = [f"deskbridge-{name}" for name in kinds]
        in_venv(author, tmp_path, "-m", "pip", "uninstall", "--quiet", "--yes", *gone)


def test_two_distributions_of_one_name_are_named(author: Path, tmp_path: Path) -> None:
    """By what is to be uninstalled, though it be one that comes with Deskbridge; it heals by that alone."""
    entry = 'memory = "deskbridge_rival.adapter:Rival"'
    installed(author, tmp_path, "rival", changed=NOTHING, entry=entry)
    try:
        tested = in_venv(author, tmp_path, *CLI, "adapters", "test", "memory")
        assert tested.returncode == 2
        assert "several installed adapters are called 'memory'" in tested.stderr
        assert "deskbridge-rival 0.1.0 (deskbridge_rival.adapter:Rival)" in tested.stderr
        assert "uninstall all but one" in tested.stderr
        assert in_venv(author, tmp_path, *CLI, "adapters", "test", "inhouse").returncode == 0
    finally:
        in_venv(author, tmp_path, "-m", "pip", "uninstall", "--quiet", "--yes", "deskbridge-rival")
    assert in_venv(author, tmp_path, *CLI, "adapters", "test", "memory").returncode == 0


@pytest.mark.parametrize(
    ("named", "cure"),
    [
        ("http", "is made of a description: name its file"),
        ("./acme", "name an installed one, or a description's file"),
        ("acme.yaml", "acme.yaml: can't be read"),
    ],
)
def test_what_is_no_adapter_to_test_is_told(tmp_path: Path, named: str, cure: str) -> None:
    """In a line, with what to name instead."""
    command = [Path(sys.executable).with_name("deskbridge"), "adapters", "test", named]
    tested = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    assert (tested.returncode, tested.stdout) == (2, "")
    assert cure in tested.stderr.replace("\n", " ")
