"""Policies to be refused, and what is wrong with them."""

import pytest

from rules.policy import PolicyError, Problem, parse_policy

RULE = """policy: p
rules:
  - name: r
    when: |-
      {when}
    then: [{{note: {{text: seen}}}}]
"""


def problems_of(text: str) -> tuple[Problem, ...]:
    """The problems for which a policy is refused."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, file="p.yaml")
    return refused.value.problems


def problem_with(when: str) -> Problem:
    """The one problem of a policy with this condition."""
    [problem] = problems_of(RULE.format(when=when))
    return problem
