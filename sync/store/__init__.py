"""The only queries of two-way state. Nothing here commits: the edge that opened the transaction does."""
