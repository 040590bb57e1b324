"""A model that ksolve serves itself: its weights, its server, and that server's life."""
