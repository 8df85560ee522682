"""Zammad, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Zammad = described(Path(__file__).with_name("zammad.yaml"))
