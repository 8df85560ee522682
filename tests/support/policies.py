"""Policies that tests share: those to be refused, and one that hands over."""

from pathlib import Path

import pytest

from config.settings import PACKAGED
from rules.policy import PolicyError, Problem, parse_policy

RULE = """policy: p
rules:
  - name: r
    when: |-
      {when}
    then: [{{note: {{text: seen}}}}]
"""


def asking(to: str, more: str = "") -> str:
    """A policy that hands over to them whoever asks for a person, saying so; `more` is of the hand-off."""
    return f"""
policy: asking
rules:
  - name: asked
    when: turn.asked_for_person
    then:
      - hand_off: {{to: {to}, queue: after-sales, say: handoff.asked{more}}}
messages:
  handoff.asked: {{zh: 好的, en: A colleague will be with you.}}
"""


def packaged(directory: Path, to: str) -> Path:
    """A folder with the packaged policy, which hands over to these people."""
    ours = (PACKAGED / "policies" / "default.yaml").read_text(encoding="utf-8")
    return written(directory, ours.replace("to: desk", f"to: {to}"))


def written(directory: Path, policy: str) -> Path:
    """A folder with this policy in it."""
    folder = directory / "policies"
    folder.mkdir(exist_ok=True)
    (folder / "p.yaml").write_text(policy, encoding="utf-8")
    return folder


def problems_of(text: str) -> tuple[Problem, ...]:
    """The problems for which a policy is refused."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, file="p.yaml")
    return refused.value.problems


def problem_with(when: str) -> Problem:
    """The one problem of a policy with this condition."""
    [problem] = problems_of(RULE.format(when=when))
    return problem
