"""What `deskbridge` can do, one module per group of commands."""
