"""The demo: it runs by itself, keeps its own promises, and touches nothing that isn't its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.model import Channel
from config.settings import ConfigError
from gateway.demo.ground import MARK, fresh_ground
from gateway.demo.play import load_play

LIMIT = 110


def demo(directory: Path, *options: str) -> list[str]:
    """The command line of a demo in this directory."""
    return [sys.executable, "-m", "gateway", "demo", "--data-dir", str(directory), *options]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One demo, from start to end."""
    directory = tmp_path_factory.mktemp("demo") / "here"
    elsewhere = os.environ | {"DESKBRIDGE_DATABASE_URL": "postgresql://nobody@192.0.2.1/not-to-be-touched"}
    return subprocess.run(
        demo(directory, "--exit", "--json"),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=elsewhere,
        check=False,
    )


def test_every_scripted_expectation_is_met(run: subprocess.CompletedProcess[str]) -> None:
    """It says so by its exit code, and names what was not met."""
    report = json.loads(run.stdout)
    assert report["failures"] == []
    assert report["expectations"] > 100
    assert run.returncode == 0, run.stderr


def test_nothing_is_said_twice_and_nobody_is_talked_over(run: subprocess.CompletedProcess[str]) -> None:
    """Though webhooks come twice and the helpdesk times out after showing a message."""
    report = json.loads(run.stdout)
    assert report["doubled_messages"] == 0
    assert report["second_voices"] == 0
    assert report["duplicates_dropped"] == report["duplicates_sent"] > 0
    assert report["retries"] >= 3
    assert report["looked_up"] == 1
    assert report["overtaken"] == 1


def test_the_report_tells_who_was_handed_off_and_why(run: subprocess.CompletedProcess[str]) -> None:
    """Both rules of the default policy acted, in both languages."""
    report = json.loads(run.stdout)
    assert {each["rule"]: each["count"] for each in report["hand_offs"]} == {
        "three-failed-ai-turns": 3,
        "asked-for-a-person": 3,
    }
    assert all(each["why"] and each["example"] for each in report["hand_offs"])
    assert report["customers"] >= 30
    assert min(report["languages"].values()) >= 10
    assert len(report["channels"]) >= 5
    assert 0 < report["first_response_p50_ms"] <= report["first_response_p95_ms"]


def test_the_play_has_every_kind_of_story() -> None:
    """The scenes that the README promises are in it."""
    play = load_play()
    steps = [step for customer in play for step in customer.steps]
    assert {customer.channel for customer in play} >= set(Channel) - {
        Channel.PHONE,
        Channel.OTHER,
        Channel.UNKNOWN,
    }
    assert {step.desk for step in steps if step.desk} == {"claim", "reply", "resolve", "return"}
    assert {step.hook.fault for step in steps if step.hook} >= {"duplicate", "reorder"}
    assert {step.vendor.fault for step in steps if step.vendor} >= {"time_out_after", "rate_limit", "error"}
    assert any(step.interrupted for step in steps)
    assert any(len(step.words) >= 3 for step in steps)
    assert all(customer.email.endswith("@example.com") for customer in play)


@pytest.fixture
def left_running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that stays."""
    process = subprocess.Popen(
        demo(tmp_path / "here"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_it_stays_for_a_look_at_the_timelines_until_ctrl_c(left_running: subprocess.Popen[str]) -> None:
    """The address that it prints logs in and shows conversations; an interrupt ends it in peace."""
    address = _address(left_running)
    login, _, ticket = address.partition("?ticket=")
    with httpx.Client(follow_redirects=True, trust_env=False) as visitor:
        assert visitor.get(address).status_code == 200
        page = visitor.post(login, data={"ticket": ticket})
    assert page.status_code == 200
    assert "Grace Lindqvist" in page.text
    left_running.send_signal(signal.SIGINT)
    assert left_running.wait(timeout=20) == 0


def _address(process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + LIMIT
    assert process.stdout is not None
    for line in process.stdout:
        if "?ticket=" in line:
            return line.split()[-1]
        assert time.monotonic() < deadline
    pytest.fail("the demo ended before it named the console")


def test_a_directory_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    """It could hold anything."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="no demo wrote"), fresh_ground(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_demo_clears_what_the_last_one_left(tmp_path: Path) -> None:
    """Each run starts from nothing."""
    with fresh_ground(tmp_path / "demo") as first:
        (first / "old").touch()
    with fresh_ground(tmp_path / "demo") as second:
        assert {entry.name for entry in second.iterdir()} == {MARK}


def test_two_demos_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second says so, and how to go on."""
    with (
        fresh_ground(tmp_path / "demo"),
        pytest.raises(ConfigError, match="--data-dir"),
        fresh_ground(tmp_path / "demo"),
    ):
        pass
