"""Zendesk messaging (Sunshine Conversations)."""
