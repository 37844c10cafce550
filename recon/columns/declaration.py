"""Atomic columns as a method of reconstruction."""

from __future__ import annotations

from typing import Final

from stemscan.recon.method import Method

__all__ = ["METHODS"]

METHODS: Final = (
    Method(
        "columns",
        "stemscan.recon.columns.method:columns",
        "atomic columns fitted to the counts, drawn at their posterior means, and a Gaussian process for all else",
        uses_torch=True,
        gives_std=True,
        memory=(320, 1e8),
        cost=5,
        tiles=True,
        rank=3,
    ),
)
"""Methods that know of atomic columns."""
