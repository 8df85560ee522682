"""Where the checkout is, and which rooms the house has."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "adapters", "sync", "rules", "knowledge", "config")
