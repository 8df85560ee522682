"""Freshdesk, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Freshdesk = described(Path(__file__).with_name("freshdesk.yaml"))
