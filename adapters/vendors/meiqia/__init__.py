"""Meiqia, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Meiqia = described(Path(__file__).with_name("meiqia.yaml"))
