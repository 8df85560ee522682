"""The adapter of Intercom."""
