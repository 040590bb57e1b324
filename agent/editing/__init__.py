"""From a model's answer to a patch."""
