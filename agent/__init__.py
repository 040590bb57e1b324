"""Who writes the patches: models, what they are shown, and how they are asked."""
