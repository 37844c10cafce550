"""Meaning of a detector's numbers, from the counts themselves."""
