"""Policies: parse, evaluate, verdicts."""
