"""Sobot, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Sobot = described(Path(__file__).with_name("sobot.yaml"))
