"""The vocabulary and the boundary: what Deskbridge and an outside system say to each other."""
