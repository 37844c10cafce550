"""Convolutions that give the same numbers every time, on a GPU too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["exact_convolutions"]


@contextlib.contextmanager
def exact_convolutions(device: torch.device) -> Iterator[None]:
    """Forbid what a GPU does to convolutions unasked: 10-bit mantissas, and algorithms that differ between runs.

    On a processor nothing is changed: what is set holds for all threads, of which several may be at work there.
    """
    if device.type == "cpu":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
