"""A chat system of your own, by description."""

from pathlib import Path

from adapters.declared.adapter import described

Inhouse = described(Path(__file__).with_name("inhouse.yaml"))
