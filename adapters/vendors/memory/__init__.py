"""The reference helpdesk: a real HTTP server of our own, and its adapter."""
