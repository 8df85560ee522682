"""Doudian, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Doudian = described(Path(__file__).with_name("doudian.yaml"))
