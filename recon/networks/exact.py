"""Convolutions that give the same numbers every time, on a GPU too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["exact_convolutions"]


@contextlib.contextmanager
def exact_convolutions() -> Iterator[None]:
    """Forbid what a GPU does to convolutions unasked: 10-bit mantissas, and algorithms that differ between runs."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
