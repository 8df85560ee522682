"""Adapters that are broken on purpose, each in one way, and the check of the kit that must see it."""

from mutants import asking, declaring, failing, mistakes, reading, sending, signing
from mutants.breaking import FIXTURES, MUTANTS

__all__ = [
    "FIXTURES",
    "MUTANTS",
    "asking",
    "declaring",
    "failing",
    "mistakes",
    "reading",
    "sending",
    "signing",
]
