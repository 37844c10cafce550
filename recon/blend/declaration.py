"""The blend of columns and FSHNet."""

from __future__ import annotations

from typing import Final

from stemscan.recon.method import Method

__all__ = ["METHODS"]

METHODS: Final = (
    Method(
        "blend",
        "stemscan.recon.blend.method:blend",
        "columns and FSHNet, weighted place by place by how well each predicts samples that were held out",
        uses_torch=True,
        gives_std=True,
        memory=(420, 3e8),
        cost=13,
        tiles=True,
        rank=0,
    ),
)
"""Methods of several methods."""
