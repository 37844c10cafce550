"""Hypothesis strategies for the tests of those who build on stemscan; needs the extra `stemscan[testing]`."""

from stemscan.testing.strategies import orders, patterns, plans, profiles, regions

__all__ = ["orders", "patterns", "plans", "profiles", "regions"]
