"""One patch out of many, without the oracle: the methods, and what each is worth."""
