"""Numbers for small programs."""
