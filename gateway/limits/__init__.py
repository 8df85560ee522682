"""Keeping vendors' limits: budgets that all processes share, and breakers for vendors that fail.

`purpose.spending` says for what requests are made; the transports of `transport` pay each request from the
budgets it draws from, and send it while the connection's breaker lets it. See docs/operations/limits.md.
"""
