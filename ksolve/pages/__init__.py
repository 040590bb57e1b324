"""Pages of ksolve: templates, one style and a little script."""
