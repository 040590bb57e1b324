"""What the samples are worth: verdicts, the sweep, the store, coverage and cost."""
