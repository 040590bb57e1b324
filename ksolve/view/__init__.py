"""Runs in a browser: pages made on the server, and a stream of what changes while a run goes on."""
