"""The conversation log as files: JSON Lines that grow run by run, and a manifest that accounts for them."""
