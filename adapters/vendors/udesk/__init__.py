"""Udesk, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Udesk = described(Path(__file__).with_name("udesk.yaml"))
