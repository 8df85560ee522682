"""Log lines: JSON on standard error, and never a reason to stop working."""

import json
import os
import subprocess
import sys

_TALK = """
import sys, structlog
from config.logging import configure_logging
configure_logging()
log = structlog.get_logger()
log.info("before", answer=42)
sys.stderr.flush()
import os
os.close(2)
log.info("after")
print("still at work")
"""


def test_a_line_is_one_json_object() -> None:
    """With its time, its level and what was said."""
    ran = subprocess.run([sys.executable, "-c", _TALK], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["answer"], told["level"]) == ("before", 42, "info")
    assert told["timestamp"].endswith("Z")


_LIBRARIES = """
import logging
from config.logging import configure_logging
configure_logging(human=HUMAN)
log = logging.getLogger("apscheduler.executors.default")
secret = "open sesame"
log.info("every second")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("Job %s raised an exception", "tick")
"""


def test_what_a_library_tells_is_one_json_object_too() -> None:
    """With its logger's name and its traceback, in one line; what is no warning stays out."""
    script = _LIBRARIES.replace("HUMAN", "False")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("Job tick raised an exception", "error")
    assert told["logger"] == "apscheduler.executors.default"
    assert "ZeroDivisionError" in told["exception"]


def test_at_a_terminal_it_reads_as_our_own_lines_do() -> None:
    """The same, coloured for people."""
    script = _LIBRARIES.replace("HUMAN", "True")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Job tick raised an exception" in ran.stderr
    assert "ZeroDivisionError" in ran.stderr
    assert "open sesame" not in ran.stderr


def test_a_log_that_nobody_takes_stops_no_work() -> None:
    """Standard error was closed in between: the line is lost, nothing else."""
    ran = subprocess.run([sys.executable, "-c", _TALK], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "still at work"


def test_a_reader_that_went_away_stops_no_work() -> None:
    """A pipe whose other end is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        subprocess.run(
            [sys.executable, "-c", _TALK], stdout=subprocess.DEVNULL, stderr=writer, check=True, timeout=60
        )
    finally:
        os.close(writer)
