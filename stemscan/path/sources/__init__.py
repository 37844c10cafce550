"""Pixels that a pass visits: one source a family of patterns, beside the compiled code that it needs."""
