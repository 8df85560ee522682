"""A broken adapter of a third party rests; the gateway and all its other connections go on."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.repository import ROOT

SETTINGS = """
connections:
  shop:
    adapter: memory
    settings: {base_url: "http://127.0.0.1:9", token: t, webhook_secret: s}
  odd:
    adapter: odd
    settings: {token: t}
    limits: {all: {requests: 5, seconds: 1}}
"""
START = """
from adapters.vendors.memory.adapter import Memory
from adapters.manifest import Manifest, Tier
MANIFEST = Manifest(title="Broken", roles=(), auth="none", tier=Tier.BRONZE, capabilities=frozenset())
class Broken(Memory):
    manifest = MANIFEST
    @classmethod
    def endpoint(cls, settings):
        return {"base_url": "http://127.0.0.1:9"}
"""
BESIDE = "from adapters.contract import Adapter\nclass Broken(Adapter): pass\n"
MODULES = {
    "odd": "import a_library_that_nobody_installed",
    "leaves": "import sys\nsys.exit('I was meant to be run as a script')",
    "lost": START + "    endpoint = classmethod(lambda cls, settings: 1 / 0)",
    "stillborn": START + "    def __init__(self, **given):\n        raise OSError('no licence file')",
    "unfinished": "from adapters.contract import Adapter\n" + START.replace("(Memory)", "(Adapter)"),
    "later": BESIDE,
    "misspelt": BESIDE,
}
"""What is wrong with each: its import, its manifest, or its making."""
MANIFESTS = {"later": "contract = 99\n", "misspelt": "titel = 'Acme'\n"}
REASONS = {
    "odd": "a_library_that_nobody_installed",
    "leaves": "meant to be run as a script",
    "lost": "division by zero",
    "stillborn": "no licence file",
    "unfinished": "abstract method",
    "later": "it is for contract 99",
    "misspelt": "did you mean title?",
}
_LIMIT = 60.0


@pytest.fixture
def third_party(tmp_path: Path) -> Path:
    """A folder with an installed distribution whose adapters are broken."""
    folder = tmp_path / "site"
    about = folder / "deskbridge_odd-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: deskbridge-odd\nVersion: 1.0\n")
    entries = [f"{name} = {name}.adapter:Broken" for name in MODULES]
    (about / "entry_points.txt").write_text("\n".join(["[deskbridge.adapters]", *entries]))
    for name, source in MODULES.items():
        (folder / name).mkdir()
        (folder / name / "adapter.py").write_text(source)
        if name in MANIFESTS:
            (folder / name / "manifest.toml").write_text(MANIFESTS[name])
    return folder


@pytest.fixture
def environment(third_party: Path, tmp_path: Path, database_url: str) -> dict[str, str]:
    """Settings that name a good connection and the broken ones."""
    config = tmp_path / "deskbridge.yaml"
    others = [f"  {name}: {{adapter: {name}, settings: {{}}}}\n" for name in MODULES if name != "odd"]
    config.write_text("".join([SETTINGS, *others]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DESKBRIDGE_")}
    return kept | {
        "PYTHONPATH": os.pathsep.join([str(third_party), str(ROOT)]),
        "DESKBRIDGE_DATABASE_URL": database_url,
        "DESKBRIDGE_CONFIG": str(config),
        "COLUMNS": "250",
    }


@pytest.fixture
def gateway(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A gateway with these settings, its address and its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    command = Path(sys.executable).with_name("deskbridge")
    with log.open("wb") as told:
        process = subprocess.Popen(
            [command, "serve", "--port", str(port)], env=environment, stdout=told, stderr=told, cwd=tmp_path
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            process.wait(_LIMIT)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _LIMIT
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"{address}/healthz", timeout=1)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(log.read_text())


def test_the_others_go_on(gateway: tuple[str, Path]) -> None:
    """A good connection judges its webhooks; the broken ones ask for theirs again; the log says why."""
    address, log = gateway
    assert httpx.post(f"{address}/hooks/shop", content=b"{}").status_code == 401
    for name in MODULES:
        answer = httpx.post(f"{address}/hooks/{name}", content=b"{}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    told = log.read_text()
    assert {name for name, reason in REASONS.items() if reason not in told} == set()
    assert told.count("adapter_broken") == len(MODULES)


def test_it_is_listed_with_the_reason(environment: dict[str, str]) -> None:
    """`deskbridge adapters list` and `matrix` show it beside the others."""
    command = Path(sys.executable).with_name("deskbridge")
    for what in ("list", "matrix"):
        ran = subprocess.run(
            [command, "adapters", what], env=environment, capture_output=True, text=True, check=True
        )
        told = " ".join(ran.stdout.split())
        assert "a_library_that_nobody_installed" in told
        assert "it is for contract 99" in told
        assert "chatwoot" in ran.stdout
