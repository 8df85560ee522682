"""The adapter of HubSpot Conversations."""
