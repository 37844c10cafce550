"""Synthetic specimens: any number of varied atomic-resolution pictures, each a function of (seed, index) alone."""
