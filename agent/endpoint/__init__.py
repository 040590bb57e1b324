"""A model behind an OpenAI-compatible endpoint: requests, retries, usage, faults."""
