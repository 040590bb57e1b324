"""Words for small programs."""
