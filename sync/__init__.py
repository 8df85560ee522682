"""Two-way state: inbox, lanes, mirror, leases, outbox, export."""
