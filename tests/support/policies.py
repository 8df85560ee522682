"""Policies that tests share: those to be refused, and one for a vendor's switch."""

import pytest

from rules.policy import PolicyError, Problem, parse_policy

RULE = """policy: p
rules:
  - name: r
    when: |-
      {when}
    then: [{{note: {{text: seen}}}}]
"""
SWITCHED = """
policy: switched
rules:
  - name: asked
    when: turn.asked_for_person
    then:
      - hand_off: {to: saas, queue: after-sales, say: handoff.asked%s}
messages:
  handoff.asked: {zh: 好的, en: A colleague will be with you.}
  answer.nothing_found: {zh: 不知道, en: I found nothing.}
  answer.failed: {zh: 出错了, en: That failed.}
"""
"""Hands over by the vendor's own switch; what the hand-off says further goes into it."""


def problems_of(text: str) -> tuple[Problem, ...]:
    """The problems for which a policy is refused."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, file="p.yaml")
    return refused.value.problems


def problem_with(when: str) -> Problem:
    """The one problem of a policy with this condition."""
    [problem] = problems_of(RULE.format(when=when))
    return problem
