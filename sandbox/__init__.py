"""Where code runs: containers, their images and limits, and applying a patch."""
