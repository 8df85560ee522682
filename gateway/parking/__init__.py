"""What was parked: showing it, trying out what a replay would do, replaying and dropping it."""
