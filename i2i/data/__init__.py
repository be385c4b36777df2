"""Data sets of (photo, labels, instances), their preparation and their check."""
