"""Drift found from the samples alone: motion of the beam over the specimen, its errors, and what cannot be known."""
