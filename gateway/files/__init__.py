"""Files beside messages: fetched from one vendor, given to another, and kept nowhere."""
