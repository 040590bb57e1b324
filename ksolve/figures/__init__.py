"""Charts of runs as SVG, for pages and for papers."""
