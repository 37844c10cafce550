"""Atomic columns fitted to the counts themselves, with no image in between."""
