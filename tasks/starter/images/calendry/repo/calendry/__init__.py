"""Small sums with dates and times of day."""
