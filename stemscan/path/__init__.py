"""From a plan to points in time order."""
