"""Memory of a whole reconstruction, from a store to a written image, asked for before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stemscan.recon.inputs.reading import input_bytes
from stemscan.recon.metrics import BYTES_A_PIXEL as COMPARED
from stemscan.recon.registry import AnyMethod, memory_remedy, method_of
from stemscan.runtime.memory import require_memory

__all__ = ["require_memory_for"]

_PICTURE: Final = 140
"""Bytes a pixel that is drawn as a PNG, its contradiction beside it."""


def require_memory_for(
    method: AnyMethod,
    shape: tuple[int, int],
    output: Path,
    *,
    compared: bool = False,
    passes: int = 0,
    device: str = "cpu",
) -> None:
    """Refuse a reconstruction for which there is too little memory at any of its steps.

    Parameters
    ----------
    method : str, Method or callable
        As for `stemscan.recon.run.reconstruct`.
    shape : tuple of int
        Rows and columns of the grid.
    output : Path
        The file that is to be written.
    compared : bool
        True if the image is to be compared with a truth.
    passes : int
        Passes of the scan that is still to be read; 0 where it is in memory.
    device : str
        On another one than the CPU, arithmetic takes memory there.

    Raises
    ------
    TooLittleMemoryError
    UsageError
        When there is no such method.
    """
    chosen = method_of(method)
    rows, columns = shape
    pixels, reading = rows * columns, input_bytes(shape, passes) if passes else 0.0
    grid = f"{rows} x {columns} pixels"
    smaller = "take a smaller grid, or a machine with more"
    if device in ("auto", "cpu"):
        needed = reading + chosen.bytes_needed(shape)
        require_memory(needed, f"to reconstruct {grid} by {chosen.name}", memory_remedy(chosen))
    if compared:
        require_memory(reading + COMPARED * pixels, f"to compare an image of {grid} with the truth", smaller)
    if output.suffix.lower() == ".png":
        remedy = "write .zarr, .tif or .npy, take a smaller grid, or a machine with more"
        require_memory(reading + _PICTURE * pixels, f"to draw {grid} as a PNG", remedy)
