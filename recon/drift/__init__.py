"""Drift found from the samples alone: the motion of the specimen under the scan, its errors, and what cannot be known."""
